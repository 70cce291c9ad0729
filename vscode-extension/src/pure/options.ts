// The editor's settings as the server's initialization options.

export interface Chosen {
  model: { name: string; baseUrl: string; context: number; threads: number; timeout: number };
  sandbox: { backend: string; python: string; image: string };
  budget: { maxSteps: number; timeout: number };
  /** Keys of settings that the user has set, such as `model.name`; all others are left to the server. */
  set: ReadonlySet<string>;
  apiKey?: string | undefined;
}

type Options = Record<string, Record<string, string | number>>;

/** Only what the user has set is sent: the server's own settings file and the environment count for the rest. */
export function toInitializationOptions(chosen: Chosen): Options & { events: boolean } {
  const all: [string, string, string, string | number][] = [
    ["model.name", "model", "name", chosen.model.name],
    ["model.baseUrl", "model", "base_url", chosen.model.baseUrl],
    ["model.context", "model", "context", chosen.model.context],
    ["model.threads", "model", "threads", chosen.model.threads],
    ["model.timeout", "model", "timeout", chosen.model.timeout],
    ["sandbox.backend", "sandbox", "backend", chosen.sandbox.backend],
    ["sandbox.python", "sandbox", "python", chosen.sandbox.python],
    ["sandbox.image", "sandbox", "image", chosen.sandbox.image],
    ["budget.maxSteps", "budget", "max_steps", chosen.budget.maxSteps],
    ["budget.timeout", "budget", "timeout", chosen.budget.timeout],
  ];
  const options: Options = {};
  for (const [key, group, name, value] of all) {
    if (chosen.set.has(key)) {
      options[group] = { ...options[group], [name]: value };
    }
  }
  if (chosen.apiKey) {
    options.model = { ...options.model, api_key: chosen.apiKey };
  }
  return Object.assign(options, { events: true }) as Options & { events: boolean };
}
