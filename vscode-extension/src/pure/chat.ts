// Conversations in the form that the editor's models take: no system role, no two turns of the same speaker in a row.

export interface ChatMessage {
  role: "system" | "user" | "assistant";
  content: string;
}

export function toTurns(messages: readonly ChatMessage[]): { role: "user" | "assistant"; content: string }[] {
  const turns: { role: "user" | "assistant"; content: string }[] = [];
  for (const { role, content } of messages) {
    const speaker = role === "assistant" ? "assistant" : "user";
    const last = turns.at(-1);
    if (last?.role === speaker) last.content += `\n\n${content}`;
    else turns.push({ role: speaker, content });
  }
  return turns;
}
