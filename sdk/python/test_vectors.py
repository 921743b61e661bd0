"""sdk/vectors.json, and what the vectors do not say: python3 -m unittest"""

import json
import os
import unittest
from datetime import datetime, timedelta, timezone
from pathlib import Path

import lectern
from lectern import LecternError

VECTORS = json.loads((Path(__file__).parent.parent / "vectors.json").read_text(encoding="utf-8"))
KEYS = VECTORS["keys"]


def edge(vector):
    return {"keys": KEYS, **{name: vector[name] for name in ("now", "max_link_age", "max_watch") if name in vector}}


def call(vector):
    return getattr(lectern, vector["call"])(vector["url"], **vector["options"], **edge(vector))


class Vectors(unittest.TestCase):
    maxDiff = None

    def refused(self, vector, refuse):
        with self.subTest(vector=vector):
            with self.assertRaises(LecternError) as caught:
                refuse()
            self.assertEqual(caught.exception.code, vector["error"], caught.exception)
            self.assertTrue(str(caught.exception))

    def test_claims_give_exactly_the_token_of_the_edge(self):
        for vector in VECTORS["mint"]:
            with self.subTest(vector["name"]):
                self.assertEqual(lectern.mint(vector["claims"], **edge(vector)), vector["token"])

    def test_a_url_gives_exactly_the_link_of_the_edge(self):
        for vector in VECTORS["link"]:
            with self.subTest(vector["name"]):
                self.assertEqual(call(vector), vector["link"])

    def test_a_token_says_its_claims(self):
        for vector in VECTORS["verify"]:
            with self.subTest(vector["name"]):
                claims = lectern.verify(vector["token"], url=vector.get("url"), **edge(vector))
                self.assertEqual(claims, {"use": "play", **vector["claims"]})

    def test_claims_that_open_nothing_are_not_minted(self):
        for vector in VECTORS["refused_claims"]:
            self.refused(vector, lambda: lectern.mint(vector["claims"], **edge(vector)))

    def test_a_url_that_cannot_be_linked_to_is_refused(self):
        for vector in VECTORS["refused_links"]:
            self.refused(vector, lambda: call(vector))

    def test_a_token_that_opens_nothing_is_refused_with_its_reason(self):
        for vector in VECTORS["refused_tokens"]:
            self.refused(vector, lambda: lectern.verify(vector["token"], url=vector.get("url"), **edge(vector)))

    def test_keys_that_mint_nothing_are_refused(self):
        for vector in VECTORS["refused_keys"]:
            self.refused(vector, lambda: lectern.key_ids(vector["keys"]))
        self.refused({"error": "no_keys"}, lambda: lectern.key_ids(" "))
        self.assertEqual(lectern.key_ids(KEYS), ["2026-11", "old._-"])

    def test_every_link_opens_its_own_url(self):
        for vector in VECTORS["link"]:
            with self.subTest(vector["name"]):
                self.assertTrue(lectern.verify(vector["link"], **edge(vector)))

    def test_keys_come_from_the_environment_and_times_may_be_datetimes(self):
        os.environ["LECTERN_KEYS"] = KEYS
        try:
            at = datetime.now(timezone.utc) + timedelta(minutes=1)
            self.assertEqual(lectern.verify(lectern.link("https://h/a", expires_at=at))["exp"], int(at.timestamp()))
            lasts = lectern.link("https://h/a", expires_in=timedelta(hours=1), watch=timedelta(hours=2), now=1_800_000_000)
            claims = lectern.verify(lasts, now=1_800_000_000)
            self.assertEqual((claims["exp"], claims["watch"]), (1_800_003_600, 7200))
            self.refused({"error": "bad_exp"}, lambda: lectern.link("https://h/a", expires_at=datetime.now()))
        finally:
            del os.environ["LECTERN_KEYS"]

    def test_half_of_a_surrogate_pair_is_no_text(self):
        for code, refuse in (
            ("bad_sub", lambda: lectern.mint({"path": "/a", "exp": 60, "sub": "\ud83c"}, keys=KEYS, now=0)),
            ("path_not_utf8", lambda: lectern.mint({"path": "/\udf93", "exp": 60}, keys=KEYS, now=0)),
            ("bad_url", lambda: lectern.link("https://h/\ud83c", keys=KEYS, now=0)),
        ):
            self.refused({"error": code}, refuse)


if __name__ == "__main__":
    unittest.main()
