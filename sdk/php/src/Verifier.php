<?php

declare(strict_types=1);

namespace Lectern;

// For apps without Composer.
require_once __DIR__ . '/Lectern.php';

/**
 * Verifies links as the edge does, for tests. In production the edge verifies.
 *
 *     Verifier::verify($link)['sub']; // 's42'
 */
final class Verifier
{
    /**
     * Returns the claims of a token, or of a URL with a token. The link must open this URL, or
     * `url` if it is given. Throws a LecternException if the link opens nothing.
     *
     * @return array<string, mixed>
     */
    public static function verify(
        #[\SensitiveParameter] ?string $token,
        ?string $url = null,
        #[\SensitiveParameter] ?string $keys = null,
        int|\DateTimeInterface|null $now = null,
        int $maxLinkAge = Lectern::MAX_LINK_AGE,
    ): array {
        $ring = Keys::read($keys);
        $now = Claims::readNow($now);
        Claims::checkBounds(maxLinkAge: $maxLinkAge);
        $token ??= '';
        $inUrl = Urls::findToken($token);
        $url ??= $inUrl === null ? null : $token;
        $claims = self::readToken($inUrl ?? $token, $ring);
        Claims::checkExpiry($claims['exp'], $now, $maxLinkAge);
        foreach (['nbf', 'iat'] as $name) {
            if (($claims[$name] ?? 0) > $now + 30) {
                $rule = "the link is not valid before {$claims[$name]}";
                throw new LecternException('not_yet_valid', $rule);
            }
        }
        Claims::checkTarget($claims);
        if ($url !== null) {
            self::checkScope($claims['path'], $url);
        }
        return $claims + ['use' => 'play'];
    }

    /**
     * Claims of a token whose form and signature are right, at any time.
     *
     * @param list<array{string, string}> $ring
     * @return array<string, mixed>
     */
    private static function readToken(
        #[\SensitiveParameter] string $token,
        #[\SensitiveParameter] array $ring,
    ): array {
        if (strlen($token) > Lectern::MAX_LINK_BYTES) {
            $rule = 'the link is longer than ' . Lectern::MAX_LINK_BYTES . ' bytes';
            throw new LecternException('link_too_long', $rule);
        }
        $parts = explode('.', $token);
        $decoded = array_map(Keys::decode(...), $parts);
        if (count($parts) !== 3 || in_array(null, $decoded, true)) {
            $rule = 'the link is not a JWT of three base64url parts';
            throw new LecternException('malformed', $rule);
        }
        [$header, $payload, $signature] = $decoded;
        $kid = self::checkHeader(Keys::readJson($header));
        $at = array_search($kid, array_column($ring, 0), true);
        // An unknown kid takes as long as a wrong signature.
        $isRight = hash_equals(Keys::mac($ring[(int) $at][1], "$parts[0].$parts[1]"), $signature);
        if ($at === false) {
            throw new LecternException('unknown_key', "no key has the link's kid `$kid`");
        }
        if (!$isRight) {
            throw new LecternException('bad_signature', 'the signature is wrong');
        }
        $claims = Keys::readJson($payload);
        if (!$claims instanceof \stdClass) {
            throw new LecternException('bad_claims', 'the claims are not a JSON object');
        }
        try {
            return Claims::check(get_object_vars($claims));
        } catch (LecternException $error) {
            throw new LecternException('bad_claims', "a claim is wrong: {$error->getMessage()}");
        }
    }

    /** The `kid` of a correct header. */
    private static function checkHeader(mixed $header): string
    {
        $members = $header instanceof \stdClass ? get_object_vars($header) : [];
        $members += ['alg' => null, 'kid' => null, 'typ' => 'JWT', 'crit' => ['exp']];
        ['alg' => $alg, 'kid' => $kid, 'typ' => $typ, 'crit' => $crit] = $members;
        $isJwt = $alg === 'HS256' && is_string($typ) && strtoupper($typ) === 'JWT';
        $isList = is_array($crit) && $crit !== [] && array_filter($crit, 'is_string') === $crit;
        if (!$isJwt || !$isList || !is_string($kid)) {
            throw new LecternException('bad_header', 'the header is not {"alg":"HS256","kid":…}');
        }
        foreach ($crit as $name) {
            if (!isset(Claims::RULES[$name])) {
                $rule = "the header's `crit` has the unknown name `$name`";
                throw new LecternException('unknown_critical', $rule);
            }
        }
        return $kid;
    }

    private static function checkScope(string $path, string $url): void
    {
        $opened = Urls::readPath(Urls::split($url)[1]);
        if ($opened !== $path && !(str_ends_with($path, '/') && str_starts_with($opened, $path))) {
            throw new LecternException('wrong_scope', "the link opens `$path`, not `$opened`");
        }
    }
}
