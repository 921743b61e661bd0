// Files beside a lecture. A playlist may name any file, so their size is bounded.

/** Reads an answer as text, up to so many bytes. */
export async function readText(answer: Response, limit: number): Promise<string> {
  const decoder = new TextDecoder();
  const reader = answer.body?.getReader();
  let [text, size] = ["", 0];
  for (let part = await reader?.read(); part?.value; part = await reader?.read()) {
    size += part.value.length;
    if (size > limit) {
      await reader?.cancel();
      throw new Error(`more than ${limit} bytes`);
    }
    text += decoder.decode(part.value, { stream: true });
  }
  return text + decoder.decode();
}
