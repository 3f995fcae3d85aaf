// The episode as a stream of tokens. As an agent, what is marked is what was judged; as a language
// model, what carries loss.

import { LitElement, html } from "lit";

class Stream extends LitElement {
  static properties = { episode: {}, costume: {}, step: { type: Number } };

  createRenderRoot() {
    return this;
  }

  updated() {
    const box = this.querySelector(".stream");
    const now = this.querySelector("[aria-current]");
    if (box && now) box.scrollTop = now.offsetTop - box.offsetTop - box.clientHeight / 2;
  }

  go(step) {
    this.dispatchEvent(new CustomEvent("step", { detail: step }));
  }

  render() {
    const { episode, step } = this;
    const pairs = [this.seen(0)];
    for (let t = 0; t < episode.steps; t++) pairs.push(this.done(t), this.seen(t + 1));
    return html`<div class="stream" role="region" aria-label="Token stream" tabindex="0">
      <ol>
        <li class="special">BOS</li>
        ${pairs}
        ${episode.steps === episode.length ? html`<li class="special">EOS</li>` : html`<li class="special">…</li>`}
      </ol>
      <p class="unseen">Step ${step} of ${episode.steps} is the present one.</p>
    </div>`;
  }

  /** The observation after t actions: the first one was given, all others are predicted. */
  seen(t) {
    const { episode, costume, step } = this;
    const model = episode.language_model ?? episode.law;
    const nats = t && costume === "lm" ? model?.surprise[t - 1] : undefined;
    const heat = nats === undefined ? 0 : Math.min(1, nats / episode.token.uniform / 1.5);
    return html`<li
      class="seen ${t > step ? "later" : ""} ${t && costume === "lm" ? "loss" : ""}"
      style="--heat: ${heat.toFixed(2)}"
      title=${nats === undefined ? "" : `${nats.toFixed(2)} nats`}
      aria-current=${t === step ? "step" : "false"}
      @click=${() => this.go(t)}
    >
      ${episode.seen[t]}
    </li>`;
  }

  done(t) {
    const { episode, costume, step } = this;
    const reward = episode.reward[t];
    const judged = costume === "rl" && episode.judged[t];
    const verdict = !judged || !reward ? "" : reward > 0 ? "good" : "bad";
    return html`<li class="done ${t >= step ? "later" : ""} ${judged ? "loss" : ""} ${verdict}"
      title=${judged ? `reward ${reward}` : ""}>
      ${episode.acts[episode.did[t]]}
    </li>`;
  }
}

customElements.define("popjax-stream", Stream);
