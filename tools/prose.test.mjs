// The rules for doc comments and type names, each with a text that breaks it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { allowedTypes, checkRust, checkScript, checkTypes } from "./prose.mjs";

test("a Rust doc comment does not begin with a relative clause", () => {
  for (const opening of ["What a link opens.", "Whether it opens.", "As it is stored.", "None where it is absent."]) {
    for (const marker of ["///", "//!", "    ///"]) {
      assert.equal(checkRust("a.rs", `${marker} ${opening}`).length, 1, `${marker} ${opening}`);
    }
  }
  assert.match(checkRust("a.rs", "\n/// What a link opens.")[0], /^a\.rs:2: .*begin with a noun or verb/);
  for (const text of ["/// A link.\n/// What it opens.", "// What a link opens.", "/// Whatever comes.", "let a = 1; /// What"]) {
    assert.deepEqual(checkRust("a.rs", text), [], text);
  }
});

test("a JSDoc comment does not begin with a relative clause", () => {
  assert.match(checkScript("a.js", "\n/**\n * What a link opens.\n */")[0], /^a\.js:2: /);
  assert.equal(checkScript("a.js", "/** Whether it opens. */").length, 1);
  assert.deepEqual(checkScript("a.js", "/** The scope of a link.\n * What it opens. */\n// What"), []);
});

test("a type name has one definition or a reason for several", () => {
  const files = /** @type {[string, string][]} */ ([
    ["a.rs", "pub struct Link;\nstruct Pass;"],
    ["b.rs", "\n    pub(in crate::b) enum Link {}\n"],
  ]);
  assert.match(checkTypes(files, [])[0], /^a\.rs:1, b\.rs:2: `Link` has several definitions/);
  assert.deepEqual(checkTypes(files, ["Link"]), []);
  assert.match(checkTypes(files, ["Link", "Pass"])[0], /`Pass` has one definition/);
});

test("the allowed names stand in their own section", () => {
  const text = "- `No`: x\n## Type names\n\nText.\n\n- `Link`: both sides have one.\n- `Pass`: so.\n\n## How\n- `No`: x\n";
  assert.deepEqual(allowedTypes(text), ["Link", "Pass"]);
  assert.deepEqual(allowedTypes("## Type names\n\n- `Link`: last.\n"), ["Link"]);
});
