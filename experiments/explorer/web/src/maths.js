// Formulas as the table writes them: x_t and x_(t+1) with the index set low, γ^t with it set high.

import { html } from "lit";

const RAISED = /([_^])(\([^()]*\)|[\p{L}\p{N}½*]+)/gu;

export function maths(text) {
  const parts = [];
  let at = 0;
  for (const found of text.matchAll(RAISED)) {
    const [all, sign, index] = found;
    const plain = index.startsWith("(") ? index.slice(1, -1) : index;
    parts.push(text.slice(at, found.index), sign === "_" ? html`<sub>${plain}</sub>` : html`<sup>${plain}</sup>`);
    at = found.index + all.length;
  }
  return [...parts, text.slice(at)];
}
