// The entry that the platform calls. wasm-bindgen generates `index.js`.
import { fetch } from "./index.js";

export default { fetch };
