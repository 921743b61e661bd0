// The entry that the platform calls. wasm-bindgen generates `index.js`.
import { fetch, ledger, ledgerAlarm } from "./index.js";

export default { fetch };

/** A Durable Object of the binding LEDGERS: `src/shell/ledger.rs` answers for it. */
export class Ledger {
  constructor(state, env) {
    this.state = state;
    this.env = env;
  }

  // One message at a time: an older list must not overtake a newer one on its way to Workers KV.
  fetch(request) {
    return this.state.blockConcurrencyWhile(() => ledger(this.state, this.env, request));
  }

  // Not under the block: players do not wait for webhooks.
  alarm() {
    return ledgerAlarm(this.state, this.env);
  }
}
