// Text as HTML, and bytes as text.
import type { Bytes } from "./wire";

const ENTITIES: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };

/** Text that is only text in HTML, in attributes too. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character] ?? character);
}

const COLOUR_CODES = new RegExp(`${String.fromCharCode(27)}\\[[0-9;?]*[A-Za-z]`, "g");

/** Without the codes with which programs colour a terminal. */
export function stripColours(text: string): string {
  return text.replace(COLOUR_CODES, "");
}

/** Head and tail of a long text, with a note of what is missing in between. */
export function clip(text: string, most = 20_000): string {
  if (text.length <= most) return text;
  const half = Math.floor(most / 2);
  return `${text.slice(0, half)}\n… ${text.length - 2 * half} more characters …\n${text.slice(-half)}`;
}

/** Bytes as text; undefined if they are none, or are not here. */
export function textOf(data: Bytes): string | undefined {
  if (data.text !== undefined) return data.text;
  if (data.base64 === undefined) return undefined;
  try {
    const bytes = Uint8Array.from(atob(data.base64), (character) => character.charCodeAt(0));
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/** Bytes in Base64; undefined if they are not here. */
export function base64Of(data: Bytes): string | undefined {
  if (data.base64 !== undefined) return data.base64;
  if (data.text === undefined) return undefined;
  let binary = "";
  for (const byte of new TextEncoder().encode(data.text)) binary += String.fromCharCode(byte);
  return btoa(binary);
}
