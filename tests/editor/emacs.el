;; Emacs as a user has it, who has read docs/editors/emacs.md: a file is edited and not saved, its tests are fixed, and
;; the proposal is accepted.
(require 'package)
(package-initialize)
(require 'json)

(setq eglot-sync-connect 60 eglot-connect-timeout 60 eglot-confirm-server-initiated-edits nil
      vc-handled-backends nil create-lockfiles nil make-backup-files nil)
(load (getenv "CODEACT_PAGE"))

(defvar codeact-progress nil)
(cl-defmethod eglot-handle-notification :before
  ((_ eglot-lsp-server) (_m (eql $/progress)) &key value &allow-other-keys)
  (push (plist-get value :kind) codeact-progress))

(defvar codeact-told nil)
(advice-add 'message :before
            (lambda (format &rest arguments)
              (when (and format (string-prefix-p "CodeAct:" format))
                (push (apply #'format format arguments) codeact-told))))

(defun codeact-tells (pattern)
  "Wait until CodeAct says so."
  (let ((end (+ (float-time) 200)))
    (while (and (< (float-time) end) (not (string-match-p pattern (or (car codeact-told) ""))))
      (accept-process-output nil 0.1))
    (if (string-match-p pattern (or (car codeact-told) "")) t :json-false)))

(with-current-buffer (find-file-noselect (concat (getenv "CODEACT_ROOT") "/calc.py"))
  (run-hooks 'post-command-hook)        ; what eglot-ensure waits for, and batch mode does not have
  (goto-char (point-max))
  (insert "# typed in Emacs, not saved\n")
  (codeact-fix)
  (let* ((server (eglot-current-server))
         (proven (codeact-tells "proven in a fresh sandbox"))
         (diagnostics (length flymake-list-only-diagnostics))
         (applied (progn (codeact-accept) (codeact-tells "changed calc.py")))
         (seen (list :started (if server t :json-false)
                     :proven proven
                     :applied applied
                     :told (vconcat codeact-told)
                     :progress (vconcat codeact-progress)
                     :diagnostics diagnostics
                     :text (buffer-string)
                     :modified (if (buffer-modified-p) t :json-false))))
    (with-temp-file (getenv "CODEACT_SEEN")
      (insert (json-encode seen)))
    (eglot-shutdown server)))
(kill-emacs 0)
