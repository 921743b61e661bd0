"""sdk/vectors.json, and cases that JSON cannot express: python3 -m unittest"""

import inspect
import json
import os
import unittest
from collections import defaultdict
from datetime import datetime, timedelta, timezone
from pathlib import Path

import lectern
from lectern import LecternError
from lectern.verify import verify

VECTORS = json.loads((Path(__file__).parent.parent / "vectors.json").read_text(encoding="utf-8"))
KEYS = VECTORS["keys"]


def edge(vector):
    return {"keys": KEYS, **{name: vector[name] for name in ("now", "max_link_age", "max_watch") if name in vector}}


def asked(vector):
    return {**edge(vector), **vector.get("options", {})}


def call(vector):
    return getattr(lectern, vector["call"])(vector["url"], **asked(vector))


class Vectors(unittest.TestCase):
    maxDiff = None

    def refused(self, vector, refuse):
        with self.subTest(vector=vector):
            with self.assertRaises(LecternError) as caught:
                refuse()
            self.assertEqual(caught.exception.code, vector["error"], caught.exception)
            self.assertTrue(str(caught.exception))

    def test_mint_returns_the_token_of_the_edge(self):
        for vector in VECTORS["mint"]:
            with self.subTest(vector["name"]):
                self.assertEqual(lectern.mint(vector["claims"], **edge(vector)), vector["token"])

    def test_link_returns_the_link_of_the_edge(self):
        for vector in VECTORS["link"]:
            with self.subTest(vector["name"]):
                self.assertEqual(call(vector), vector["link"])

    def test_embed_url_returns_the_page_of_the_edge(self):
        for vector in VECTORS["embed"]:
            with self.subTest(vector["name"]):
                self.assertEqual(call(vector), vector["link"])

    def test_verify_returns_the_claims_of_a_token(self):
        for vector in VECTORS["verify"]:
            with self.subTest(vector["name"]):
                claims = verify(vector["token"], url=vector.get("url"), **edge(vector))
                self.assertEqual(claims, {"use": "play", **vector["claims"]})

    def test_mint_refuses_claims_that_open_nothing(self):
        for vector in VECTORS["refused_claims"]:
            self.refused(vector, lambda: lectern.mint(vector["claims"], **edge(vector)))

    def test_link_refuses_a_wrong_url(self):
        for vector in VECTORS["refused_links"]:
            self.refused(vector, lambda: call(vector))

    def test_verify_refuses_a_token_that_opens_nothing(self):
        for vector in VECTORS["refused_tokens"]:
            self.refused(vector, lambda: verify(vector["token"], url=vector.get("url"), **asked(vector)))

    def test_key_ids_refuses_wrong_keys(self):
        for vector in VECTORS["refused_keys"]:
            self.refused(vector, lambda: lectern.key_ids(vector["keys"]))
        self.refused({"error": "no_keys"}, lambda: lectern.key_ids(" "))
        self.assertEqual(lectern.key_ids(KEYS), ["2026-11", "old._-"])

    def test_every_link_opens_its_own_url(self):
        for vector in VECTORS["link"]:
            with self.subTest(vector["name"]):
                self.assertTrue(verify(vector["link"], **edge(vector)))

    def test_keys_come_from_the_environment(self):
        os.environ["LECTERN_KEYS"] = KEYS
        try:
            at = datetime.now(timezone.utc) + timedelta(minutes=1)
            self.assertEqual(verify(lectern.link("https://h/a", expires_at=at))["exp"], int(at.timestamp()))
            lasts = lectern.link("https://h/a", expires_in=timedelta(hours=1), watch=timedelta(hours=2), now=1_800_000_000)
            claims = verify(lasts, now=1_800_000_000)
            self.assertEqual((claims["exp"], claims["watch"]), (1_800_003_600, 7200))
            self.refused({"error": "bad_exp"}, lambda: lectern.link("https://h/a", expires_at=datetime.now()))
        finally:
            del os.environ["LECTERN_KEYS"]

    def test_an_invalid_time_is_refused(self):
        expired = lectern.mint({"path": "/a", "exp": 60}, keys=KEYS, now=0)
        code = {"error": "bad_option"}
        nan, infinity = float("nan"), float("inf")
        for none in ("x", "1", nan, infinity, -1, 2**53, True, [], {}, datetime.now(), datetime.now().date(), timedelta(seconds=-1)):
            self.refused(code, lambda: verify(expired, keys=KEYS, now=none))
            self.refused(code, lambda: lectern.link("https://h/a", keys=KEYS, now=none))
            self.refused(code, lambda: verify(expired, keys=KEYS, now=1000, max_link_age=none))
            for name in ("max_link_age", "max_watch"):
                self.refused(code, lambda: lectern.link("https://h/a", keys=KEYS, now=1000, **{name: none}))
                self.refused(code, lambda: lectern.upload_link("https://h/a/", keys=KEYS, now=1000, **{name: none}))
        for now in (61, 61.5, datetime.fromtimestamp(61, timezone.utc)):
            self.refused({"error": "expired"}, lambda: verify(expired, keys=KEYS, now=now))
        self.assertEqual(verify(expired, keys=KEYS, now=60.9)["exp"], 60)
        hour = {"keys": KEYS, "now": 0, "max_link_age": timedelta(hours=1), "max_watch": timedelta(minutes=1)}
        self.refused({"error": "exp_too_far"}, lambda: lectern.link("https://h/a", expires_in=3601, **hour))
        self.refused({"error": "watch_too_long"}, lambda: lectern.link("https://h/a", expires_in=3600, watch=61, **hour))
        self.assertTrue(lectern.link("https://h/a", expires_in=3600, watch=60, **hour))

    def test_missing_and_huge_values_are_refused(self):
        huge = "a" * 400_000
        for code, refuse in (
            *(("malformed", lambda token=token: verify(token, keys=KEYS)) for token in (None, 42, b"a.b.c", [])),
            *(("bad_keys", lambda keys=keys: lectern.link("https://h/a", keys=keys)) for keys in ([], [1], b"[]", 42, huge, "\ud83c")),
            *(("path_not_absolute", lambda claims=claims: lectern.mint(claims, keys=KEYS)) for claims in (None, {}, "x")),
            *(("bad_url", lambda url=url: lectern.link(url, keys=KEYS)) for url in (None, 42, b"https://h/a")),
            ("bad_exp", lambda: lectern.link("https://h/a", expires_in=10**400, keys=KEYS)),
            ("bad_langs", lambda: lectern.link("https://h/a", langs={"en"}, keys=KEYS)),
            ("bad_use", lambda: lectern.link("https://h/a", use=[], keys=KEYS)),
            ("key_too_long", lambda: lectern.key_ids(json.dumps([{"kid": "k", "secret": huge}]))),
            ("link_too_long", lambda: lectern.link("https://h/a", langs=["a" + "-a" * 200_000], keys=KEYS)),
        ):
            self.refused({"error": code}, refuse)

    def test_a_misspelt_option_is_refused(self):
        for mint in (lectern.link, lectern.upload_link):
            with self.assertRaisesRegex(TypeError, "unexpected keyword argument 'maxHeight'"):
                mint("https://h/a/", maxHeight=480, keys=KEYS)
        with self.assertRaises(TypeError):
            lectern.upload_link("https://h/a/", use="play", keys=KEYS)

    def test_the_other_calls_take_the_options_of_link(self):
        taken = dict(inspect.signature(lectern.link).parameters)
        bounds = {"max_bytes", "max_objects", "types"}
        for mint, without, more in (
            (lectern.upload_link, {"use"}, set()),
            (lectern.embed_url, {"use"} | bounds, set()),
            (lectern.poster_url, {"use", "directory"} | bounds, set()),
            (lectern.download_url, {"use", "directory"} | bounds, {"name"}),
        ):
            given = dict(inspect.signature(mint).parameters)
            self.assertEqual(set(given), set(taken) - without | more)
            for name in set(given) - more:
                self.assertEqual(given[name], taken[name])

    def test_the_default_of_a_mapping_is_no_claim(self):
        claims = defaultdict(lambda: "/other/", {"path": "/a/", "exp": 60})
        plain = lectern.mint({"path": "/a/", "exp": 60}, keys=KEYS, now=0)
        self.assertEqual(lectern.mint(claims, keys=KEYS, now=0), plain)
        del claims["path"]
        self.refused({"error": "path_not_absolute"}, lambda: lectern.mint(claims, keys=KEYS, now=0))

    def test_an_unpaired_surrogate_is_refused(self):
        for code, refuse in (
            ("bad_sub", lambda: lectern.mint({"path": "/a", "exp": 60, "sub": "\ud83c"}, keys=KEYS, now=0)),
            ("path_not_utf8", lambda: lectern.mint({"path": "/\udf93", "exp": 60}, keys=KEYS, now=0)),
            ("bad_url", lambda: lectern.link("https://h/\ud83c", keys=KEYS, now=0)),
        ):
            self.refused({"error": code}, refuse)


if __name__ == "__main__":
    unittest.main()
