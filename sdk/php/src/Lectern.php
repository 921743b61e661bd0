<?php

declare(strict_types=1);

namespace Lectern;

// For apps without Composer.
require_once __DIR__ . '/LecternException.php';
require_once __DIR__ . '/Urls.php';
require_once __DIR__ . '/Claims.php';
require_once __DIR__ . '/Keys.php';

/**
 * Mints links to lectures behind a Lectern edge. Needs PHP only.
 *
 *     Lectern::link('https://video.school.example/courses/rails/intro/master.m3u8', viewer: 's42');
 *     // 'https://video.school.example/courses/rails/intro/master.m3u8?token=eyJ…'
 *
 * `keys:` takes the edge's LECTERN_KEYS. It defaults to LECTERN_KEYS of the environment. The first
 * key signs. Durations are whole seconds. Instants are seconds since 1970 or a DateTimeInterface. A
 * link that the edge would refuse to every viewer throws a LecternException.
 *
 * Tests verify links with Verifier.
 */
final class Lectern
{
    /** Defaults of the edge's variables with the same names, in seconds. */
    public const MAX_LINK_AGE = 30 * 86_400;
    public const MAX_WATCH = 86_400;
    /** Lifetime of a link without `expiresIn` and `expiresAt`, in seconds. */
    public const EXPIRES_IN = 6 * 3600;
    public const MAX_LINK_BYTES = 4096;

    /**
     * Returns the URL with `?token=…` in its query, in place of an older token.
     *
     * A URL that ends in a slash opens its folder. `directory: true` opens the object's folder.
     * `watch`, `maxHeight`, `preview`, `langs`, `ip`, `country`, `origin`, `jti`, `sessions`,
     * `sessionsPolicy`, `strict`, `watermark`, `offline`, `maxBytes`, `maxObjects` and `types` set
     * the claims of the same names.
     *
     * @param ?array{int, int} $preview
     * @param ?list<string> $langs
     * @param ?list<string> $ip
     * @param ?list<string> $country
     * @param ?list<string> $origin
     * @param ?list<'video'|'audio'|'image'|'captions'|'hls'> $types
     */
    public static function link(
        string $url,
        ?string $viewer = null,
        ?int $expiresIn = null,
        int|\DateTimeInterface|null $expiresAt = null,
        int|\DateTimeInterface|null $notBefore = null,
        ?int $watch = null,
        ?int $maxHeight = null,
        ?array $preview = null,
        ?array $langs = null,
        ?array $ip = null,
        ?array $country = null,
        ?array $origin = null,
        ?string $jti = null,
        ?string $watermark = null,
        ?int $sessions = null,
        ?string $sessionsPolicy = null,
        ?bool $strict = null,
        ?int $offline = null,
        string $use = 'play',
        bool $directory = false,
        #[\SensitiveParameter] ?string $keys = null,
        int|\DateTimeInterface|null $now = null,
        int $maxLinkAge = self::MAX_LINK_AGE,
        int $maxWatch = self::MAX_WATCH,
        ?int $maxBytes = null,
        ?int $maxObjects = null,
        ?array $types = null,
    ): string {
        $parts = Urls::split($url);
        $now = Claims::readNow($now);
        if ($expiresIn !== null && $expiresAt !== null) {
            $rule = '`expiresIn` and `expiresAt` are both set: remove one';
            throw new LecternException('bad_exp', $rule);
        }
        $claims = [
            'path' => Urls::readPath($parts[1], $directory),
            'exp' => Claims::readInstant($expiresAt) ?? $now + ($expiresIn ?? self::EXPIRES_IN),
            'nbf' => Claims::readInstant($notBefore),
            'use' => $use,
            'sub' => $viewer,
            'jti' => $jti,
            'watermark' => $watermark,
            'sessions' => $sessions,
            'sessions_policy' => $sessionsPolicy,
            'strict' => $strict,
            'offline' => $offline,
            'max_bytes' => $maxBytes,
            'max_objects' => $maxObjects,
            'types' => $types,
            'watch' => $watch,
            'max_height' => $maxHeight,
            'preview' => $preview,
            'langs' => $langs,
            'ip' => $ip,
            'country' => $country,
            'origin' => $origin,
        ];
        return Urls::addToken($parts, self::mint($claims, $keys, $now, $maxLinkAge, $maxWatch));
    }

    /**
     * Returns a link that writes below a folder and reads nothing. Takes the options of `link`
     * except `use`. The URL must end in a slash, unless `directory: true` is set.
     *
     * @param ?array{int, int} $preview
     * @param ?list<string> $langs
     * @param ?list<string> $ip
     * @param ?list<string> $country
     * @param ?list<string> $origin
     * @param ?list<'video'|'audio'|'image'|'captions'|'hls'> $types
     */
    public static function uploadLink(
        string $url,
        bool $directory = false,
        ?string $viewer = null,
        ?int $expiresIn = null,
        int|\DateTimeInterface|null $expiresAt = null,
        int|\DateTimeInterface|null $notBefore = null,
        ?int $watch = null,
        ?int $maxHeight = null,
        ?array $preview = null,
        ?array $langs = null,
        ?array $ip = null,
        ?array $country = null,
        ?array $origin = null,
        ?string $jti = null,
        ?string $watermark = null,
        ?int $sessions = null,
        ?string $sessionsPolicy = null,
        ?bool $strict = null,
        ?int $offline = null,
        #[\SensitiveParameter] ?string $keys = null,
        int|\DateTimeInterface|null $now = null,
        int $maxLinkAge = self::MAX_LINK_AGE,
        int $maxWatch = self::MAX_WATCH,
        ?int $maxBytes = null,
        ?int $maxObjects = null,
        ?array $types = null,
    ): string {
        if (!str_ends_with(Urls::readPath(Urls::split($url)[1], $directory), '/')) {
            $hint = 'end the URL in a slash, or set `directory: true`';
            throw new LecternException('path_not_a_folder', "an upload link opens a folder: $hint");
        }
        return self::link(
            $url, $viewer, $expiresIn, $expiresAt, $notBefore, $watch, $maxHeight, $preview, $langs,
            $ip, $country, $origin, $jti, $watermark, $sessions, $sessionsPolicy, $strict, $offline,
            'upload', $directory, $keys, $now, $maxLinkAge, $maxWatch, $maxBytes, $maxObjects, $types,
        );
    }

    /**
     * Returns the address of the edge's player page for an <iframe>. Takes the options of `link`
     * except `use`. The link is in the fragment, which browsers send to no server. Of a URL that
     * ends in a slash, the page plays `master.m3u8`.
     *
     * @param ?array{int, int} $preview
     * @param ?list<string> $langs
     * @param ?list<string> $ip
     * @param ?list<string> $country
     * @param ?list<string> $origin
     */
    public static function embedUrl(
        string $url,
        bool $directory = false,
        ?string $viewer = null,
        ?int $expiresIn = null,
        int|\DateTimeInterface|null $expiresAt = null,
        int|\DateTimeInterface|null $notBefore = null,
        ?int $watch = null,
        ?int $maxHeight = null,
        ?array $preview = null,
        ?array $langs = null,
        ?array $ip = null,
        ?array $country = null,
        ?array $origin = null,
        ?string $jti = null,
        ?string $watermark = null,
        ?int $sessions = null,
        ?string $sessionsPolicy = null,
        ?bool $strict = null,
        ?int $offline = null,
        #[\SensitiveParameter] ?string $keys = null,
        int|\DateTimeInterface|null $now = null,
        int $maxLinkAge = self::MAX_LINK_AGE,
        int $maxWatch = self::MAX_WATCH,
    ): string {
        $parts = Urls::split($url);
        $lecture = str_ends_with($parts[1], '/') ? Urls::beside($parts, 'master.m3u8') : $url;
        $link = self::link(
            $lecture, $viewer, $expiresIn, $expiresAt, $notBefore, $watch, $maxHeight, $preview, $langs,
            $ip, $country, $origin, $jti, $watermark, $sessions, $sessionsPolicy, $strict, $offline,
            'play', $directory, $keys, $now, $maxLinkAge, $maxWatch,
        );
        return "$parts[0]/_lectern/play#$link";
    }

    /**
     * Returns a link to the poster of a lecture, and to nothing else. The URL is that of the
     * lecture's folder or of an object in it. Takes the options of `link` except `use` and
     * `directory`. The edge refuses it with `maxHeight`, `preview` or `langs`.
     *
     * @param ?array{int, int} $preview
     * @param ?list<string> $langs
     * @param ?list<string> $ip
     * @param ?list<string> $country
     * @param ?list<string> $origin
     */
    public static function posterUrl(
        string $url,
        ?string $viewer = null,
        ?int $expiresIn = null,
        int|\DateTimeInterface|null $expiresAt = null,
        int|\DateTimeInterface|null $notBefore = null,
        ?int $watch = null,
        ?int $maxHeight = null,
        ?array $preview = null,
        ?array $langs = null,
        ?array $ip = null,
        ?array $country = null,
        ?array $origin = null,
        ?string $jti = null,
        ?string $watermark = null,
        ?int $sessions = null,
        ?string $sessionsPolicy = null,
        ?bool $strict = null,
        ?int $offline = null,
        #[\SensitiveParameter] ?string $keys = null,
        int|\DateTimeInterface|null $now = null,
        int $maxLinkAge = self::MAX_LINK_AGE,
        int $maxWatch = self::MAX_WATCH,
    ): string {
        $parts = Urls::split($url);
        self::refuseOptions(maxHeight: $maxHeight, preview: $preview, langs: $langs);
        $poster = Urls::beside($parts, 'poster.jpg');
        return self::link(
            $poster, $viewer, $expiresIn, $expiresAt, $notBefore, $watch, $maxHeight, $preview, $langs,
            $ip, $country, $origin, $jti, $watermark, $sessions, $sessionsPolicy, $strict, $offline,
            'play', false, $keys, $now, $maxLinkAge, $maxWatch,
        );
    }

    /**
     * Returns a link to the download of a lecture, and to nothing else. Browsers save the file
     * under `name`, or else under the name of the folder. Takes the options of `posterUrl`,
     * and refuses `sessions`.
     *
     * @param ?array{int, int} $preview
     * @param ?list<string> $langs
     * @param ?list<string> $ip
     * @param ?list<string> $country
     * @param ?list<string> $origin
     */
    public static function downloadUrl(
        string $url,
        ?string $name = null,
        ?string $viewer = null,
        ?int $expiresIn = null,
        int|\DateTimeInterface|null $expiresAt = null,
        int|\DateTimeInterface|null $notBefore = null,
        ?int $watch = null,
        ?int $maxHeight = null,
        ?array $preview = null,
        ?array $langs = null,
        ?array $ip = null,
        ?array $country = null,
        ?array $origin = null,
        ?string $jti = null,
        ?string $watermark = null,
        ?int $sessions = null,
        ?string $sessionsPolicy = null,
        ?bool $strict = null,
        ?int $offline = null,
        #[\SensitiveParameter] ?string $keys = null,
        int|\DateTimeInterface|null $now = null,
        int $maxLinkAge = self::MAX_LINK_AGE,
        int $maxWatch = self::MAX_WATCH,
    ): string {
        $parts = Urls::split($url);
        self::refuseOptions(
            maxHeight: $maxHeight, preview: $preview, langs: $langs, sessions: $sessions,
        );
        $parts[2] = Urls::putMember($parts[2], 'download', Urls::encodeName($name));
        $file = Urls::beside($parts, 'lecture.mp4');
        return self::link(
            $file, $viewer, $expiresIn, $expiresAt, $notBefore, $watch, $maxHeight, $preview, $langs,
            $ip, $country, $origin, $jti, $watermark, $sessions, $sessionsPolicy, $strict, $offline,
            'download', false, $keys, $now, $maxLinkAge, $maxWatch,
        );
    }

    /**
     * Returns a token with these claims, for example ['path' => '/courses/', 'exp' => 1800000000].
     * Omits a claim that is null.
     *
     * @param array<string, mixed> $claims
     */
    public static function mint(
        array $claims,
        #[\SensitiveParameter] ?string $keys = null,
        int|\DateTimeInterface|null $now = null,
        int $maxLinkAge = self::MAX_LINK_AGE,
        int $maxWatch = self::MAX_WATCH,
    ): string {
        [$kid, $secret] = Keys::read($keys)[0];
        $now = Claims::readNow($now);
        Claims::checkBounds(maxLinkAge: $maxLinkAge, maxWatch: $maxWatch);
        $claims = array_filter($claims, static fn (mixed $value): bool => $value !== null);
        foreach (array_keys($claims) as $name) {
            if (!isset(Claims::RULES[$name])) {
                throw new LecternException('unknown_claim', "no claim is called `$name`");
            }
        }
        $claims = Claims::check($claims);
        Claims::checkTarget($claims);
        Claims::checkExpiry($claims['exp'], $now, $maxLinkAge);
        $watch = $claims['watch'] ?? 0;
        if ($watch > $maxWatch) {
            $rule = "`watch` is $watch seconds; the edge allows $maxWatch at most (MAX_WATCH)";
            throw new LecternException('watch_too_long', $rule);
        }
        if (($claims['use'] ?? '') === 'play') {
            unset($claims['use']);
        }
        $header = ['alg' => 'HS256', 'typ' => 'JWT', 'kid' => $kid];
        $parts = array_map(self::writeJson(...), [$header, $claims]);
        $signed = implode('.', array_map(Keys::encode(...), $parts));
        $token = $signed . '.' . Keys::encode(Keys::mac($secret, $signed));
        if (strlen($token) > self::MAX_LINK_BYTES) {
            $rule = 'the link is longer than ' . self::MAX_LINK_BYTES . ' bytes';
            throw new LecternException('link_too_long', $rule);
        }
        return $token;
    }

    /**
     * Returns the ids of the keys, the signing key first, as the edge's /_lectern/health lists
     * them. Throws if the keys are wrong: call it when the app starts.
     *
     * @return list<string>
     */
    public static function keyIds(#[\SensitiveParameter] ?string $keys = null): array
    {
        return array_column(Keys::read($keys), 0);
    }

    /** Refuses options with which the edge opens no single object. */
    private static function refuseOptions(mixed ...$options): void
    {
        foreach ($options as $name => $value) {
            if ($value !== null) {
                $rule = "the edge refuses a link to this object with `$name`: leave it out";
                throw new LecternException('bad_option', $rule);
            }
        }
    }

    /** @param array<string, mixed> $value */
    private static function writeJson(array $value): string
    {
        $flags = JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_LINE_TERMINATORS;
        return json_encode($value, $flags | JSON_THROW_ON_ERROR);
    }
}
