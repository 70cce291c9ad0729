-- Neovim as a user has it, who has read docs/editors/neovim.md: a file is edited and not saved, its tests are fixed, and
-- the proposal is accepted.
local root = os.getenv("CODEACT_ROOT")
local progress, told = {}, {}

vim.notify = function(text)
  table.insert(told, text)
end
vim.api.nvim_create_autocmd("LspProgress", {
  callback = function(event)
    table.insert(progress, event.data.params.value.kind)
  end,
})

local function tells(pattern)
  return vim.wait(200000, function()
    return #told > 0 and told[#told]:find(pattern) ~= nil
  end, 50)
end

vim.cmd("edit " .. root .. "/calc.py")
local started = vim.wait(60000, function()
  local client = vim.lsp.get_clients({ name = "codeact", bufnr = 0 })[1]
  return client ~= nil and client.initialized
end, 50)
vim.api.nvim_buf_set_lines(0, -1, -1, false, { "# typed in Neovim, not saved" })
vim.cmd("CodeActFix")
local proven = tells("proven in a fresh sandbox")
local diagnostics = vim.tbl_count(vim.diagnostic.get(nil))
vim.cmd("CodeActAccept")
local applied = tells("changed calc.py")
local seen = {
  started = started,
  proven = proven,
  applied = applied,
  told = told,
  progress = progress,
  diagnostics = diagnostics,
  text = table.concat(vim.api.nvim_buf_get_lines(0, 0, -1, false), "\n"),
  modified = vim.bo.modified,
}
vim.fn.writefile({ vim.fn.json_encode(seen) }, os.getenv("CODEACT_SEEN"))
vim.cmd("qall!")
