// Sets the time of upload of every object in a stopped edge's bucket back.
//   node silence.mjs STATE SECONDS
import { readdirSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";

const [state, seconds] = process.argv.slice(2);
const files = readdirSync(state, { recursive: true }).filter((file) => /r2.*[0-9a-f]{64}\.sqlite$/.test(file));
let changed = 0;
for (const file of files) {
  const database = new DatabaseSync(`${state}/${file}`);
  changed += Number(database.prepare("UPDATE _mf_objects SET uploaded = uploaded - ?").run(seconds * 1000).changes);
  database.close();
}
if (changed === 0) throw new Error(`no object in ${state}`);
