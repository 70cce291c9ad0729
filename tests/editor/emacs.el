;; Emacs with eglot as a user has it: a file is edited and not saved, its tests are fixed, the proposal is accepted.
(require 'package)
(package-initialize)
(require 'eglot)
(require 'json)

(setq eglot-sync-connect 20 eglot-connect-timeout 20 eglot-confirm-server-initiated-edits nil
      vc-handled-backends nil create-lockfiles nil make-backup-files nil)
(defvar codeact-progress nil)
(defvar codeact-options
  (let ((json-object-type 'plist)) (json-read-from-string (getenv "CODEACT_OPTIONS"))))
(defclass codeact-server (eglot-lsp-server) ())
(cl-defmethod eglot-initialization-options ((_ codeact-server)) codeact-options)
(cl-defmethod eglot-handle-notification :before ((_ codeact-server) (_m (eql $/progress)) &key value &allow-other-keys)
  (push (plist-get value :kind) codeact-progress))

(define-derived-mode codeact-mode prog-mode "Code")
(let* ((root (file-name-as-directory (getenv "CODEACT_ROOT")))
       (buffer (find-file-noselect (concat root "calc.py"))))
  (with-current-buffer buffer
    (codeact-mode)
    (goto-char (point-max))
    (insert "# typed in Emacs, not saved\n")
    (apply #'eglot
           (list (list 'codeact-mode) (cons 'transient root) 'codeact-server
                 (append (json-read-from-string (getenv "CODEACT_COMMAND")) nil) "python"))
    (let* ((server (eglot-current-server))
           (run (lambda (command argument)
                  (jsonrpc-request server :workspace/executeCommand
                                   (list :command command :arguments (vector argument)) :timeout 90)))
           (ended (funcall run "codeact.fix" (list :uri (eglot--path-to-uri buffer-file-name))))
           (diagnostics (length flymake-list-only-diagnostics))
           (applied (funcall run "codeact.apply" (list :run (plist-get ended :run)))))
      (with-temp-file (getenv "CODEACT_SEEN")
        (insert (json-encode
                 (list :status (plist-get ended :status)
                       :message (plist-get ended :message)
                       :applied (eq (plist-get applied :applied) t)
                       :progress (vconcat codeact-progress)
                       :diagnostics diagnostics
                       :text (with-current-buffer buffer (buffer-string))
                       :modified (if (buffer-modified-p buffer) t :json-false)))))
      (eglot-shutdown server))))
(kill-emacs 0)
