// What the platform calls. `index.js` is wasm-bindgen's.
import { fetch } from "./index.js";

export default { fetch };
