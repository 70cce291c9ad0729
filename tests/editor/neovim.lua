-- Neovim as a user has it: a file is edited and not saved, its tests are fixed, and the proposal is accepted.
local root = os.getenv("CODEACT_ROOT")
local progress = {}

vim.cmd("edit " .. root .. "/calc.py")
local id = vim.lsp.start_client({
  name = "codeact",
  cmd = vim.fn.json_decode(os.getenv("CODEACT_COMMAND")),
  root_dir = root,
  workspace_folders = { { uri = vim.uri_from_fname(root), name = "work" } },
  init_options = vim.fn.json_decode(os.getenv("CODEACT_OPTIONS")),
  handlers = {
    ["$/progress"] = function(_, result)
      table.insert(progress, result.value.kind)
    end,
  },
})
vim.lsp.buf_attach_client(0, id)
local client = vim.lsp.get_client_by_id(id)
assert(vim.wait(20000, function()
  return client.initialized
end, 50), "the server does not start")

local function ask(method, params)
  local answer
  if vim.fn.has("nvim-0.11") == 1 then
    answer = client:request_sync(method, params, 90000, 0)
  else
    answer = client.request_sync(method, params, 90000, 0)
  end
  assert(answer and not answer.err, vim.inspect(answer))
  return answer.result
end

vim.api.nvim_buf_set_lines(0, -1, -1, false, { "# typed in Neovim, not saved" })
local ended = ask("workspace/executeCommand", {
  command = "codeact.fix",
  arguments = { { uri = vim.uri_from_bufnr(0) } },
})
local diagnostics = vim.tbl_count(vim.diagnostic.get(nil))
local applied = ask("workspace/executeCommand", { command = "codeact.apply", arguments = { { run = ended.run } } })
local seen = {
  status = ended.status,
  message = ended.message,
  applied = applied.applied,
  progress = progress,
  diagnostics = diagnostics,
  text = table.concat(vim.api.nvim_buf_get_lines(0, 0, -1, false), "\n"),
  modified = vim.bo.modified,
}
vim.fn.writefile({ vim.fn.json_encode(seen) }, os.getenv("CODEACT_SEEN"))
vim.lsp.stop_client(id)
vim.cmd("qall!")
