<?php

declare(strict_types=1);

namespace Lectern;

/**
 * Keys of LECTERN_KEYS, their signatures (RFC 7515), base64url (RFC 4648 §5), and strict JSON.
 *
 * @internal
 */
final class Keys
{
    /** A token of JSON. Possessive, because PCRE would exhaust its stack on 100 kB. */
    private const TOKEN = '~"(?:[^"\\\\]++|\\\\.)*+"|[{}\[\]:,]|[^\s{}\[\]:,"]+~s';

    /** @return list<array{string, string}> ids and secrets, the signing key first */
    public static function read(#[\SensitiveParameter] ?string $text): array
    {
        $ring = [];
        foreach (self::readEntries($text) as [$kid, $secret]) {
            if (in_array($kid, array_column($ring, 0), true)) {
                $rule = "LECTERN_KEYS has the kid `$kid` twice";
                throw new LecternException('duplicate_kid', $rule);
            }
            $ring[] = [$kid, self::checkSecret($kid, self::decode($secret))];
        }
        return $ring;
    }

    public static function mac(#[\SensitiveParameter] string $secret, string $text): string
    {
        return hash_hmac('sha256', $text, $secret, true);
    }

    /** Base64url without padding. */
    public static function encode(string $bytes): string
    {
        return rtrim(strtr(base64_encode($bytes), '+/', '-_'), '=');
    }

    /** Bytes of base64url without padding, in its one correct spelling. */
    public static function decode(string $text): ?string
    {
        $bytes = base64_decode(strtr($text, '-_', '+/'), true);
        return $bytes !== false && self::encode($bytes) === $text ? $bytes : null;
    }

    /** Value of JSON without repeated members, at most 16 levels deep, or null. */
    public static function readJson(#[\SensitiveParameter] string $text): mixed
    {
        if (json_decode($text, true) === null || !preg_match_all(self::TOKEN, $text, $found)) {
            return null;
        }
        $tokens = $found[0];
        $open = [];
        foreach ($tokens as $at => $token) {
            if ($token === '}' || $token === ']') {
                array_pop($open);
            } elseif ($token !== ',' && $token !== ':' && count($open) > 16) {
                return null;
            }
            if (($tokens[$at + 1] ?? '') === ':') {
                $name = json_decode($token);
                if (isset($open[count($open) - 1]["=$name"])) {
                    return null;
                }
                $open[count($open) - 1]["=$name"] = true;
                // An object of PHP has no member whose name starts so. No claim has this name.
                if (str_starts_with($name, "\0")) {
                    $tokens[$at] = json_encode("unknown$name");
                }
            }
            if ($token === '{' || $token === '[') {
                $open[] = [];
            }
            $isMember = count($open) === 1 && ($tokens[$at - 1] ?? '') === ':';
            $tokens[$at] = self::readNumber($tokens[$at], $isMember ? $tokens[$at - 2] : 'null');
        }
        return json_decode(implode('', $tokens));
    }

    /**
     * The token of a number as the edge reads it. It rounds a time down, by its digits, because a
     * float may be rounded up. It reads `-0` as a fraction, PHP as an integer: no claim is null.
     */
    private static function readNumber(string $token, string $name): string
    {
        if ($token === '-0') {
            return 'null';
        }
        $isTime = preg_match('/\A([0-9]+)\.[0-9]+\z/', $token, $parts)
            && in_array(json_decode($name), ['exp', 'nbf', 'iat'], true);
        return $isTime ? $parts[1] : $token;
    }

    /** @return list<array{string, string}> */
    private static function readEntries(#[\SensitiveParameter] ?string $text): array
    {
        $name = 'LECTERN_KEYS';
        $text ??= $_ENV[$name] ?? $_SERVER[$name] ?? (string) getenv($name);
        if (trim($text) === '') {
            $hint = "copy the edge's value, which `lectern keys new` prints";
            throw new LecternException('no_keys', "LECTERN_KEYS is not set: $hint");
        }
        $list = self::readJson($text);
        $entries = [];
        foreach (is_array($list) ? $list : [null] as $entry) {
            $members = $entry instanceof \stdClass ? get_object_vars($entry) : [];
            ['kid' => $kid, 'secret' => $secret] = $members + ['kid' => null, 'secret' => null];
            if (count($members) !== 2 || !is_string($kid) || !is_string($secret)) {
                $rule = 'LECTERN_KEYS is not a JSON list of {"kid", "secret"}';
                throw new LecternException('bad_keys', $rule);
            }
            $entries[] = [$kid, $secret];
        }
        if ($entries === []) {
            $rule = 'LECTERN_KEYS is an empty list: run `lectern keys new`';
            throw new LecternException('no_keys', $rule);
        }
        return $entries;
    }

    private static function checkSecret(string $kid, #[\SensitiveParameter] ?string $secret): string
    {
        if ($secret === null) {
            $rule = "the secret of `$kid` is not base64url without padding";
            throw new LecternException('bad_secret', $rule);
        }
        if (!preg_match('/\A[A-Za-z0-9._-]{1,64}\z/', $kid)) {
            $rule = 'a kid must be 1 to 64 characters of A-Za-z0-9._-';
            throw new LecternException('bad_kid', $rule);
        }
        $bytes = strlen($secret);
        if ($bytes < 32 || $bytes > 1024) {
            $code = $bytes < 32 ? 'key_too_short' : 'key_too_long';
            $rule = "the secret of `$kid` has $bytes bytes; it needs 32 to 1024";
            throw new LecternException($code, $rule);
        }
        return $secret;
    }
}
