// The editor's settings as the server's initialization options.

/** Where the server has each setting of the editor. */
export const PLACES = {
  "model.name": ["model", "name"],
  "model.baseUrl": ["model", "base_url"],
  "model.context": ["model", "context"],
  "model.threads": ["model", "threads"],
  "model.timeout": ["model", "timeout"],
  "sandbox.backend": ["sandbox", "backend"],
  "sandbox.python": ["sandbox", "python"],
  "sandbox.image": ["sandbox", "image"],
  "sandbox.runtime": ["sandbox", "runtime"],
  packages: ["packages"],
  "budget.maxSteps": ["budget", "max_steps"],
  "budget.timeout": ["budget", "timeout"],
  "budget.maxCost": ["budget", "max_cost"],
  "budget.pricePrompt": ["budget", "price_prompt"],
  "budget.priceCompletion": ["budget", "price_completion"],
} as const;

export type Key = keyof typeof PLACES;
export type Value = string | number;

/** What the user has set goes to the server, with the key; its own settings file and the environment count for the rest. */
export function toInitializationOptions(set: ReadonlyMap<Key, Value>, apiKey?: string): Record<string, unknown> {
  const options: Record<string, Value | boolean> = { events: true };
  const groups: Record<string, Record<string, Value>> = {};
  for (const [key, value] of set) {
    const [group, name] = PLACES[key];
    if (name === undefined) options[group] = value;
    else groups[group] = { ...groups[group], [name]: value };
  }
  if (apiKey) groups.model = { ...groups.model, api_key: apiKey };
  return { ...options, ...groups };
}
