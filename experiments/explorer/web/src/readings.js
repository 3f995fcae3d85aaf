// The panels beside the picture: bars of probabilities, each with its number in words.

import { html, nothing } from "lit";
import { bins, views } from "./chart.js";

const MOST = 10; // bars at once; the likeliest are shown

/** What the agent would do at this moment, and what the reference player would. */
export function policy(episode, step, words) {
  if (step >= episode.steps) return panel("policy", words.policy, over(episode));
  const { agent } = episode;
  const right = episode.reference[step];
  const taken = episode.did[step];
  const p = agent ? agent.policy[step] : episode.acts.map((_, i) => (i === taken ? 1000 : 0));
  const rows = likeliest(p, MOST, [taken, right]).map((i) => ({
    name: episode.acts[i],
    bars: [[agent ? "agent" : "reference", p[i]]],
    marks: [i === taken ? words.taken : "", i === right ? "best known" : ""],
  }));
  const note = episode.judged[step] ? nothing : html`<p class="note">Nothing is asked yet, so nothing is judged.</p>`;
  return panel("policy", words.policy, html`${bars(rows)}${note}`);
}

/** The language model's next token beside the exact law's. */
export function next(episode, step, words) {
  if (step >= episode.steps) return panel("next", words.next, over(episode));
  const { language_model: model, law, token } = episode;
  const came = token.came[step];
  const key = [];
  if (model) key.push(["lm", "language model"]);
  else key.push(["uniform", "uniform guess"]);
  if (law) key.push(["law", law.exact ? "exact Bayes" : "a filter: close to Bayes"]);
  const size = token.words.length;
  const guess = Array(size).fill(1000 / size);
  const of = (source, component) => source?.next[component][step];
  let body;
  if (token.components.length === 9) body = views(token, came, (i) => of(model, i) ?? guess);
  else if (size > 16)
    body = token.components.map((name, i) => bins(name, of(model, i) ?? guess, of(law, i), came[i]));
  else {
    const rows = likeliest(of(law, 0) ?? of(model, 0) ?? guess, 13, [came[0]]).map((i) => ({
      name: token.words[i],
      bars: [
        [model ? "lm" : "uniform", (of(model, 0) ?? guess)[i]],
        ...(law ? [["law", of(law, 0)[i]]] : []),
      ],
      marks: [i === came[0] ? "came" : ""],
    }));
    body = bars(rows);
  }
  const none = law ? nothing : html`<p class="note">No exact law of the next view in a maze can be computed.</p>`;
  return panel("next", words.next, html`${legend(key)}${body}${cost(episode, step)}${none}`);
}

/** How surprising the token that came was, to each predictor. */
function cost(episode, step) {
  const { language_model: model, law, token } = episode;
  const nats = [];
  if (model) nats.push(`the language model ${model.surprise[step].toFixed(2)}`);
  if (law) nats.push(`${law.exact ? "exact Bayes" : "the filter"} ${law.surprise[step].toFixed(2)}`);
  nats.push(`a uniform guess ${token.uniform.toFixed(2)}`);
  return html`<p class="note">What came cost ${nats.join(", ")} nats.</p>`;
}

/** What can be read, linearly, from the state of each network. */
export function memory(episode, step, words) {
  const { readings } = episode;
  if (!readings?.length) return nothing;
  if (step >= episode.steps) return panel("memory", words.memory, over(episode));
  return panel(
    "memory",
    words.memory,
    html`
      ${legend([
        ["agent", "read from the agent"],
        ["lm", "read from the language model"],
        ["law", "the truth"],
      ])}
      <div class="readings">
      ${readings.map((reading) => {
        const truth = reading.truth[step];
        const order = truth ? likeliest(truth, MOST, []).sort((a, b) => a - b) : [];
        const rows = order.map((i) => ({
          name: reading.words[i],
          bars: [
            ["agent", reading.agent[step][i]],
            ["lm", reading.language_model[step][i]],
            ["law", truth[i]],
          ],
          marks: [],
        }));
        const { nats } = reading;
        return html`<div>
          <h5>${reading.about}</h5>
          ${truth ? bars(rows) : html`<p class="note">Nothing is asked yet.</p>`}
          <p class="note">
            On new episodes, in nats: the agent’s state ${nats.agent.toFixed(3)}, the language
            model’s ${nats.language_model.toFixed(3)}, the present card and the clock alone
            ${nats.present.toFixed(3)}, the truth itself ${nats.truth.toFixed(3)}.
          </p>
        </div>`;
      })}
      </div>
    `,
  );
}

function panel(name, title, body) {
  return html`<section class="panel" data-panel=${name} aria-label=${title}>
    <h4>${title}</h4>
    ${body}
  </section>`;
}

function over(episode) {
  const ended = episode.steps === episode.length;
  return html`<p class="note">${ended ? "The episode is over." : "Here the recording ends."}</p>`;
}

function legend(entries) {
  return html`<ul class="key">
    ${entries.map(([kind, name]) => html`<li class=${kind}>${name}</li>`)}
  </ul>`;
}

function bars(rows) {
  const numbers = Math.max(...rows.map((row) => row.bars.length));
  const plain = rows.every((row) => !row.marks.some(Boolean)) ? "plain" : "";
  return html`<ul class="bars ${plain}" style="--numbers: ${numbers}">
    ${rows.map(
      ({ name, bars, marks }) => html`<li class=${marks.some(Boolean) ? "marked" : ""}>
        <span class="what">${name}</span>
        <span class="tracks">
          ${bars.map(
            ([kind, p]) => html`<span class="track"
              ><span class="fill ${kind}" style="inline-size: ${p / 10}%"></span
            ></span>`,
          )}
        </span>
        <span class="number">${bars.map(([, p]) => percent(p)).join(" ")}</span>
        <i>${marks.filter(Boolean).join(", ")}</i>
      </li>`,
    )}
  </ul>`;
}

function percent(p) {
  return `${(p / 10).toFixed(p > 0 && p < 10 ? 1 : 0)}%`;
}

/** The places of the largest numbers, and of those that must be seen, in their own order. */
function likeliest(p, most, must) {
  const places = p.map((_, i) => i);
  if (p.length <= most) return places;
  const top = new Set([...must, ...places.sort((a, b) => p[b] - p[a])].slice(0, most));
  return [...top].sort((a, b) => a - b);
}
