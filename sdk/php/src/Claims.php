<?php

declare(strict_types=1);

namespace Lectern;

/**
 * Rules for the claims and times of a link, which the edge has too.
 *
 * @internal
 */
final class Claims
{
    /** Claims in the order of a token, and the rule of each. */
    public const RULES = [
        'path' => '',
        'exp' => '(expiresIn, expiresAt) must be a whole number of seconds',
        'nbf' => '(notBefore) must be a whole number of seconds since 1970',
        'iat' => 'must be a whole number of seconds since 1970',
        'use' => 'must be `play`, `download`, `upload` or `admin`',
        'sub' => '(viewer) must be a text of 1 to 256 bytes',
        'jti' => 'must be a text of 1 to 256 bytes',
        'watermark' => 'must be a text of 1 to 100 characters',
        'watch' => 'must be a whole number of seconds, at least 1',
        'max_height' => '(maxHeight) must be a whole number of lines, at least 1',
        'preview' => 'must be [from, to] in whole seconds, with from before to',
        'langs' => 'must be a list of 1 to 32 BCP 47 tags such as `en` or `pt-BR`',
        'ip' => 'must be a list of 1 to 32 ranges such as `192.0.2.0/24`, without bits after the '
            . 'prefix',
        'country' => 'must be a list of 1 to 32 ISO 3166 codes such as `DE`',
        'origin' => 'must be a list of 1 to 32 origins such as `https://*.school.example`',
        'sessions' => 'must be a whole number from 1 to 255',
        'sessions_policy' => '(sessionsPolicy) must be `newest` or `oldest`',
        'strict' => 'must be true or false',
        'offline' => 'must be a whole number of seconds from 1 to 2592000',
        'max_bytes' => '(maxBytes) must be a whole number of bytes, at least 1',
        'max_objects' => '(maxObjects) must be a whole number from 1 to 100000',
        'types' => 'must be a list of `video`, `audio`, `image`, `captions` and `hls`',
    ];

    /** Extensions of objects that are not playlists. */
    private const MEDIA = '/\.(m4s|mp4|cmfv|m4v|m4a|cmfa|ts|aac|mp3|webm|mov|mkv|vtt|mpd|json'
        . '|jpe?g|png|webp|avif|gif)\z/i';

    private const KINDS = ['video', 'audio', 'image', 'captions', 'hls'];
    private const USES = ['play', 'download', 'upload', 'admin'];
    private const MAX_SAFE_INTEGER = 2 ** 53 - 1;

    /**
     * Claims in the order of a token, each as the edge writes it.
     *
     * @param array<string, mixed> $claims
     * @return array<string, mixed>
     */
    public static function check(array $claims): array
    {
        $checked = [];
        foreach (self::RULES as $name => $rule) {
            if (!array_key_exists($name, $claims) && $name !== 'path' && $name !== 'exp') {
                continue;
            }
            $checked[$name] = self::read($name, $claims[$name] ?? null);
            if ($checked[$name] === null) {
                throw new LecternException("bad_$name", "`$name` $rule");
            }
        }
        if (isset($checked['sessions']) && !isset($checked['sub'])) {
            throw new LecternException('bad_sessions', '`sessions` needs `sub` (viewer)');
        }
        if (isset($checked['sessions_policy']) && !isset($checked['sessions'])) {
            throw new LecternException('bad_sessions_policy', '`sessions_policy` needs `sessions`');
        }
        $asks = isset($checked['sessions']) || ($checked['strict'] ?? false);
        if (isset($checked['offline']) && $asks) {
            $rule = '`offline` excludes `sessions` and `strict`';
            throw new LecternException('bad_offline', $rule);
        }
        self::checkUploadBounds($checked);
        if (($checked['strict'] ?? null) === false) {
            unset($checked['strict']);
        }
        return $checked;
    }

    /**
     * Refuses bounds of uploads for another use, and a count without the id that it is kept under.
     *
     * @param array<string, mixed> $claims
     */
    private static function checkUploadBounds(array $claims): void
    {
        foreach (['max_bytes', 'max_objects', 'types'] as $name) {
            if (isset($claims[$name]) && ($claims['use'] ?? '') !== 'upload') {
                throw new LecternException("bad_$name", "`$name` needs an upload link");
            }
            if (isset($claims[$name]) && $name !== 'types' && !isset($claims['jti'])) {
                $rule = "`$name` needs `jti`, under which the edge counts";
                throw new LecternException("bad_$name", $rule);
            }
        }
    }

    /**
     * Refuses claims that are well-formed and open nothing.
     *
     * @param array<string, mixed> $claims
     */
    public static function checkTarget(array $claims): void
    {
        $path = $claims['path'];
        $isAdmin = ($claims['use'] ?? '') === 'admin';
        $isReserved = str_starts_with($path, '/_lectern/') && !$isAdmin;
        if ($isReserved || str_starts_with($path, '/~')) {
            throw Urls::badPath('path_reserved');
        }
        if (substr_count($path, '/') > 256) {
            throw Urls::badPath('path_too_deep');
        }
        $restricts = $claims['max_height'] ?? $claims['preview'] ?? $claims['langs'] ?? null;
        $isUpload = ($claims['use'] ?? '') === 'upload';
        if ($restricts !== null && !$isUpload && preg_match(self::MEDIA, $path)) {
            $need = '`maxHeight`, `preview` and `langs` need a playlist';
            $rule = "$need: link to the `.m3u8`, or to its folder";
            throw new LecternException('path_not_a_playlist', $rule);
        }
    }

    public static function checkExpiry(int $exp, int $now, int $maxLinkAge): void
    {
        if ($exp < $now) {
            throw new LecternException('expired', "the link expired at $exp; the time is $now");
        }
        if ($exp - $now > $maxLinkAge) {
            $rule = "the link expires more than $maxLinkAge seconds from now (MAX_LINK_AGE)";
            throw new LecternException('exp_too_far', $rule);
        }
    }

    /** Refuses an option of the edge that is no number of seconds. */
    public static function checkBounds(int ...$bounds): void
    {
        foreach ($bounds as $name => $bound) {
            if ($bound < 0) {
                $rule = "`$name` must be a whole number of seconds";
                throw new LecternException('bad_option', $rule);
            }
        }
    }

    /** Seconds since 1970. */
    public static function readInstant(int|\DateTimeInterface|null $instant): ?int
    {
        return $instant instanceof \DateTimeInterface ? $instant->getTimestamp() : $instant;
    }

    /** Current time in seconds since 1970, unless another time is given. */
    public static function readNow(int|\DateTimeInterface|null $now): int
    {
        $rule = '`now` must be seconds since 1970, or a DateTimeInterface';
        return self::readWhole(self::readInstant($now) ?? time(), 0, self::MAX_SAFE_INTEGER)
            ?? throw new LecternException('bad_option', $rule);
    }

    /** Value of a claim as the edge writes it, or null. */
    private static function read(string $name, mixed $value): mixed
    {
        return match ($name) {
            'path' => Urls::checkPath($value),
            'exp', 'nbf', 'iat' => self::readWhole($value, 0, self::MAX_SAFE_INTEGER),
            'watch', 'max_bytes' => self::readWhole($value, 1, self::MAX_SAFE_INTEGER),
            'max_height' => self::readWhole($value, 1, 2 ** 32 - 1),
            'sessions' => self::readWhole($value, 1, 255),
            'offline' => self::readWhole($value, 1, 30 * 24 * 3600),
            'max_objects' => self::readWhole($value, 1, 100_000),
            'types' => self::readList($value, self::readKind(...)),
            'sessions_policy' => in_array($value, ['newest', 'oldest'], true) ? $value : null,
            'strict' => is_bool($value) ? $value : null,
            'use' => in_array($value, self::USES, true) ? $value : null,
            'sub', 'jti' => self::readLabel($value),
            'watermark' => self::readWatermark($value),
            'preview' => self::readPreview($value),
            'langs' => self::readList($value, self::readLang(...)),
            'ip' => self::readList($value, self::readCidr(...)),
            'country' => self::readList($value, self::readCountry(...)),
            'origin' => self::readList($value, self::readOrigin(...)),
        };
    }

    private static function readWhole(mixed $value, int $least, int $most): ?int
    {
        return is_int($value) && $value >= $least && $value <= $most ? $value : null;
    }

    private static function readLabel(mixed $value): ?string
    {
        $isText = is_string($value) && Urls::isText($value);
        return $isText && $value !== '' && strlen($value) <= 256 ? $value : null;
    }

    private static function readWatermark(mixed $value): ?string
    {
        return is_string($value) && preg_match('/\A.{1,100}\z/su', $value) === 1 ? $value : null;
    }

    /** @return ?array{int, int} */
    private static function readPreview(mixed $value): ?array
    {
        if (!is_array($value) || !array_is_list($value) || count($value) !== 2) {
            return null;
        }
        $read = static fn (mixed $second): ?int => self::readWhole($second, 0, 2 ** 32 - 1);
        [$from, $to] = array_map($read, $value);
        return $from !== null && $to !== null && $from < $to ? [$from, $to] : null;
    }

    /** @return ?list<string> */
    private static function readList(mixed $value, \Closure $read): ?array
    {
        if (!is_array($value) || !array_is_list($value) || $value === [] || count($value) > 32) {
            return null;
        }
        $readText = static fn (mixed $entry): ?string => is_string($entry) ? $read($entry) : null;
        $entries = array_map($readText, $value);
        return in_array(null, $entries, true) ? null : $entries;
    }

    private static function readLang(string $text): ?string
    {
        return preg_match('/\A[A-Za-z0-9]{1,8}+(?:-[A-Za-z0-9]{1,8}+)*+\z/', $text) ? $text : null;
    }

    private static function readKind(mixed $value): ?string
    {
        return in_array($value, self::KINDS, true) ? $value : null;
    }

    private static function readCountry(string $text): ?string
    {
        return preg_match('/\A[A-Za-z][A-Za-z0-9]\z/', $text) ? strtoupper($text) : null;
    }

    private static function readOrigin(string $text): ?string
    {
        $form = '~\A([A-Za-z0-9.:\[\]+-]+)://(?:\*(?=\.))?([A-Za-z0-9.:\[\]+-]+)\z~';
        if (!preg_match($form, $text, $parts)) {
            return null;
        }
        [, $scheme, $host] = $parts;
        return strtolower("$scheme://" . ($host[0] === '.' ? '*' : '') . $host);
    }

    /**
     * A range (RFC 4632, RFC 4291) in its shortest form. Refuses bits after the prefix, and IPv4
     * written as IPv6.
     */
    private static function readCidr(string $text): ?string
    {
        $isRange = preg_match('~\A([0-9A-Fa-f:.]+)(?:/([0-9]+))?\z~', $text, $parts);
        $bytes = $isRange ? @inet_pton($parts[1]) : false;
        if ($bytes === false || str_starts_with($bytes, str_repeat("\0", 10) . "\xff\xff")) {
            return null;
        }
        $bits = 8 * strlen($bytes);
        $length = (int) ($parts[2] ?? $bits);
        if ($length > $bits) {
            return null;
        }
        foreach (str_split($bytes) as $at => $byte) {
            if (ord($byte) & ((1 << min(8, max(0, 8 * $at + 8 - $length))) - 1)) {
                return null;
            }
        }
        return ($bits === 32 ? inet_ntop($bytes) : self::shorten($bytes)) . "/$length";
    }

    /** RFC 5952: omits the first of the longest runs of zeros. */
    private static function shorten(string $bytes): string
    {
        $groups = implode(':', array_map('dechex', unpack('n8', $bytes)));
        preg_match_all('/\b0(?::0)+\b/', $groups, $runs);
        $longest = '';
        foreach ($runs[0] as $run) {
            $longest = strlen($run) > strlen($longest) ? $run : $longest;
        }
        return $longest === '' ? $groups : preg_replace("/(^|:)$longest(:|\$)/", '::', $groups, 1);
    }
}
