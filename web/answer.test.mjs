// What the page makes of answers, the edge's and those of others.
import assert from "node:assert/strict";
import { test } from "node:test";
import { nextStep, problemIn } from "./src/answer.ts";

test("only the edge's refusals count", async () => {
  for (const [answer, expected] of [
    [Response.json({ code: "revoked", title: "…" }, { status: 403 }), "revoked"],
    [Response.json({ error: "log in" }, { status: 403 }), undefined],
    [Response.json(null, { status: 403 }), undefined],
    [Response.json({ code: 7 }, { status: 403 }), undefined],
    [new Response("<html>Log in</html>", { status: 403 }), undefined],
    [new Response("", { status: 404 }), undefined],
  ]) {
    assert.equal((await problemIn(answer))?.code, expected);
  }
});

test("a failed load has a next step", () => {
  const expired = { code: "expired" };
  for (const [facts, expected] of [
    [{ status: 0, reason: "unreachable" }, "wait"],
    [{ status: 403, reason: "unreachable" }, "wait"],
    [{ status: 200, reason: "unreachable" }, "wait"],
    [{ status: 503, reason: { code: "busy" } }, "wait"],
    [{ status: 429, reason: { code: "rate_limited" } }, "wait"],
    [{ status: 403, reason: { code: "revoked" } }, "stop"],
    [{ status: 404, reason: { code: "not_found" } }, "stop"],
    // The playlist arrived, and is none.
    [{ status: 200, reason: undefined }, "stop"],
    [{ status: 403, reason: undefined }, "reopen"],
    [{ status: 403, reason: undefined, hasReopened: true }, "wait"],
    // A pass has ended, and its link has not.
    [{ status: 403, reason: expired }, "reopen"],
    [{ status: 403, reason: expired, hasReopened: true }, "ask"],
    [{ status: 403, reason: expired, isLinkOver: true }, "ask"],
    [{ status: 403, reason: expired, isLinkOver: true, hasAsked: true }, "stop"],
  ]) {
    const step = nextStep({ isLinkOver: false, hasReopened: false, hasAsked: false, ...facts });
    assert.equal(step, expected, JSON.stringify(facts));
  }
});
