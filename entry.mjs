// The entry that the platform calls. wasm-bindgen generates `index.js`.
import { fetch, ledger } from "./index.js";

export default { fetch };

/** A Durable Object of the binding LEDGERS: `src/shell/ledger.rs` answers for it. */
export class Ledger {
  constructor(state, env) {
    this.state = state;
    this.env = env;
  }

  fetch(request) {
    return ledger(this.state, this.env, request);
  }
}
