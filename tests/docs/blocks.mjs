// The code blocks of a Markdown file.

/** @typedef {{ language: string, code: string, line: number }} Block */

/**
 * Every fenced block, whatever its language, its fence and its indentation. Code that this parser cannot read is
 * an error: an open fence, one in a quotation, code that is only indented.
 * @param {string} text
 * @returns {Block[]}
 */
export function blocks(text) {
    const found = [];
    let open;
    text.split('\n').forEach((line, at) => {
        if (open) {
            const [, fence, rest] = /^ *(`{3,}|~{3,})(.*)$/.exec(line) ?? [];
            if (fence?.startsWith(open.fence) && rest.trim() === '') {
                found.push({ language: open.language, code: open.lines.map((one) => `${one}\n`).join(''), line: open.line });
                open = undefined;
            } else {
                open.lines.push(line.startsWith(open.indent) ? line.slice(open.indent.length) : line.trimStart());
            }
            return;
        }
        const [, indent, fence, language] = /^( *)(`{3,}|~{3,})\s*([^`]*)$/.exec(line) ?? [];
        if (fence) open = { indent, fence, language: language.trim(), lines: [], line: at + 1 };
        else if (/`{3}|~{3}/.test(line)) throw new Error(`line ${at + 1}: a fence stands on a line of its own`);
        else if (/^(?: {4}|\t)/.test(line)) throw new Error(`line ${at + 1}: code stands in a fence`);
    });
    if (open) throw new Error(`line ${open.line}: this fence is never closed`);
    return found;
}
