// Charts by Observable Plot. Each is a picture for the eye; its numbers stand in words beside it.

import { html, nothing } from "lit";
import * as Plot from "@observablehq/plot";

/** As wide as the screen allows, so that letters keep their size. */
const within = (width) => Math.min(width, Math.max(280, document.documentElement.clientWidth - 32));
const LOOK = { background: "none", color: "inherit", fontSize: "12px", overflow: "visible" };

/** Nats of every token under the model, the law and a uniform guess. */
export function surprise(episode, step, words) {
  const sources = [
    ["language model", episode.language_model, "var(--lm)"],
    [episode.law?.exact ? "exact Bayes" : "a filter, close to Bayes", episode.law, "var(--law)"],
  ].filter(([, source]) => source);
  const lines = sources.flatMap(([name, source]) =>
    source.surprise.map((nats, t) => ({ name, step: t + 1, nats })),
  );
  const { uniform } = episode.token;
  const chart = Plot.plot({
    width: within(1072),
    height: 180,
    marginLeft: 44,
    marginBottom: 38,
    style: LOOK,
    x: { label: "step", labelOffset: 34, domain: [0, episode.steps], nice: false },
    y: { label: "nats", domain: [0, Math.max(uniform * 1.1, ...lines.map((line) => line.nats))], ticks: 4 },
    color: { domain: sources.map(([name]) => name), range: sources.map(([, , colour]) => colour) },
    marks: [
      Plot.ruleY([0], { stroke: "var(--line)" }),
      Plot.ruleY([uniform], { stroke: "var(--muted)", strokeDasharray: "2 3" }),
      Plot.ruleX([step], { stroke: "var(--accent)", strokeWidth: 1.5 }),
      Plot.lineY(lines, { x: "step", y: "nats", stroke: "name", strokeWidth: 1.5 }),
    ],
  });
  chart.setAttribute("aria-hidden", "true");
  const totals = sources.map(([name, source]) => [name, mean(source.surprise)]);
  return html`
    <h4>${words.surprise}</h4>
    <ul class="key">
      ${episode.language_model ? html`<li class="lm">language model</li>` : nothing}
      ${episode.law ? html`<li class="law">${episode.law.exact ? "exact Bayes" : "a filter, close to Bayes"}</li>` : nothing}
      <li class="uniform">uniform guess</li>
    </ul>
    <div class="chart">${chart}</div>
    <p class="note">
      Here on average: ${totals.map(([name, nats]) => html`${name} ${nats.toFixed(3)}, `)}uniform
      guess ${uniform.toFixed(3)} nats a token. The entropy floor over all episodes
      ${episode.floor.player === "any" ? "" : `of the ${episode.floor.player} player `}is
      ${episode.floor.kind === "exact" ? "" : "at most "}${episode.floor.nats.toFixed(3)}.
    </p>
  `;
}

/** The law of one component in many bins: the model as an area, Bayes as a line. */
export function bins(name, model, law, came) {
  const chart = Plot.plot({
    width: within(470),
    height: 120,
    marginLeft: 36,
    marginBottom: 36,
    style: LOOK,
    x: { label: "bin", labelOffset: 32, domain: [0, model.length - 1] },
    y: { label: "%", ticks: 3, nice: true, transform: (p) => p / 10 },
    marks: [
      Plot.ruleX([came], { stroke: "var(--accent)", strokeWidth: 1.5 }),
      Plot.areaY(model, { fill: "var(--lm)", fillOpacity: 0.35, curve: "step" }),
      Plot.lineY(model, { stroke: "var(--lm)", curve: "step" }),
      ...(law ? [Plot.lineY(law, { stroke: "var(--law)", curve: "step" })] : []),
      Plot.ruleY([0], { stroke: "var(--line)" }),
    ],
  });
  chart.setAttribute("aria-hidden", "true");
  const says = [`model ${(model[came] / 10).toFixed(0)}%`];
  if (law) says.push(`Bayes ${(law[came] / 10).toFixed(0)}%`);
  return html`<div class="bins">
    <p>${name}: bin ${came} came (${says.join(", ")})</p>
    ${chart}
  </div>`;
}

/** Nine squares of a maze: how likely what came was thought to be, square by square. */
export function views(token, came, of) {
  return html`<ol class="views">
    ${came.map((value, i) => {
      const p = of(i)[value];
      return html`<li style="--p: ${(p / 1000).toFixed(2)}">
        <span>${token.words[value]}</span> <b>${Math.round(p / 10)}%</b>
      </li>`;
    })}
  </ol>`;
}

function mean(numbers) {
  return numbers.reduce((sum, one) => sum + one, 0) / Math.max(1, numbers.length);
}
