<?php

declare(strict_types=1);

namespace Lectern;

/**
 * What is wrong. `$reason` is stable, and the same in every language: key_too_short, exp_too_far, path_not_absolute …
 * `getCode()` is a number in PHP, and here always 0.
 */
final class LecternException extends \InvalidArgumentException
{
    public function __construct(public readonly string $reason, string $message)
    {
        parent::__construct($message);
    }
}

/**
 * Mints and verifies links to lectures behind a Lectern edge. Nothing but PHP itself is needed.
 *
 *     Lectern::link('https://video.school.example/courses/rails/intro/master.m3u8', viewer: 's42', expiresIn: 6 * 3600);
 *     // 'https://video.school.example/courses/rails/intro/master.m3u8?token=eyJ…'
 *
 * The keys are the text that the edge has as LECTERN_KEYS, taken from the environment of that name; `keys:` overrides it. The
 * first key mints, all verify. Times are whole seconds; instants are seconds since 1970 or a DateTimeInterface. A link that the
 * edge would refuse whoever opens it is refused here, as a LecternException.
 */
final class Lectern
{
    // What the edge has where its variables of these names are not set.
    public const MAX_LINK_AGE = 30 * 86_400;
    public const MAX_WATCH = 86_400;
    /** How long a link opens where nothing is said. */
    public const EXPIRES_IN = 6 * 3600;
    public const MAX_LINK_BYTES = 4096;

    private const MAX_SAFE_INTEGER = 2 ** 53 - 1;
    private const USES = ['play', 'download', 'upload', 'admin'];

    /** RFC 3986, taken apart as text, so that what is not the token stays as it was. */
    private const URL = '~\A(https?://[^/?#\\\\\x00-\x20\x7f]+)(/[^?#]*|)(?:\?([^#\x00-\x20\x7f]*))?(?:#([^\x00-\x20\x7f]*))?\z~i';

    /** What JSON is made of. Possessive, for PCRE would run out of its stack in a text of 100 kB. */
    private const TOKEN = '~"(?:[^"\\\\]++|\\\\.)*+"|[{}\[\]:,]|[^\s{}\[\]:,"]+~s';

    /** What a link with restrictions never opens, whatever is stored there: what these extensions name is sent as it is. */
    private const NO_PLAYLIST = '/\.(m4s|mp4|cmfv|m4v|m4a|cmfa|ts|aac|mp3|webm|mov|mkv|vtt|mpd|json|jpe?g|png|webp|avif|gif)\z/i';

    /** Every claim in the order in which it is written, and what it has to be. */
    private const CLAIMS = [
        'path' => '',
        'exp' => '`exp` (expiresIn, expiresAt) is a whole number of seconds',
        'nbf' => '`nbf` (notBefore) is a whole number of seconds since 1970',
        'iat' => '`iat` is a whole number of seconds since 1970',
        'use' => '`use` is `play`, `download`, `upload` or `admin`',
        'sub' => '`sub` (viewer) is a text of 1 to 256 bytes',
        'jti' => '`jti` is a text of 1 to 256 bytes',
        'watch' => '`watch` is a whole number of seconds, at least 1',
        'max_height' => '`max_height` (maxHeight) is a whole number of lines, at least 1',
        'preview' => '`preview` is [from, to] in whole seconds, the first before the second',
        'langs' => '`langs` is a list of 1 to 32 BCP 47 tags such as `en` or `pt-BR`',
        'ip' => '`ip` is a list of 1 to 32 ranges such as `192.0.2.0/24`, without bits behind the prefix',
        'country' => '`country` is a list of 1 to 32 ISO 3166 codes such as `DE`',
        'origin' => '`origin` is a list of 1 to 32 origins such as `https://*.school.example`',
        'sessions' => '`sessions` is a whole number, at least 1',
        'max_bytes' => '`max_bytes` is a whole number of bytes, at least 1',
    ];

    private const PATHS = [
        'path_not_absolute' => 'does not start with a slash',
        'path_empty_segment' => 'has an empty segment, or is the whole bucket',
        'path_dot_segment' => 'has a `.` or `..` segment',
        'path_encoded_separator' => 'has an encoded slash or backslash',
        'path_backslash' => 'has a backslash',
        'path_semicolon' => 'has a semicolon',
        'path_control' => 'has a control character',
        'path_bad_escape' => 'has a percent sign without two hexadecimal digits',
        'path_encoded_twice' => 'is percent-encoded twice',
        'path_not_utf8' => 'is not UTF-8',
        'path_too_long' => 'is longer than 1024 bytes',
        'path_too_deep' => 'is over 255 folders deep',
        'path_reserved' => "is the edge's own: `/_lectern/`, and what begins with `/~`",
    ];

    /**
     * The URL with `?token=…` in its query; an older token there is replaced.
     *
     * A URL that ends in a slash opens its folder; `directory: true` opens the folder that the object is in. `watch`, `maxHeight`,
     * `preview`, `langs`, `ip`, `country`, `origin` and `jti` are the claims of these names.
     *
     * @param ?array{int, int} $preview
     * @param ?list<string> $langs
     * @param ?list<string> $ip
     * @param ?list<string> $country
     * @param ?list<string> $origin
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
        string $use = 'play',
        bool $directory = false,
        #[\SensitiveParameter] ?string $keys = null,
        int|\DateTimeInterface|null $now = null,
        int $maxLinkAge = self::MAX_LINK_AGE,
        int $maxWatch = self::MAX_WATCH,
    ): string {
        $parts = self::urlParts($url);
        $now = self::now($now);
        if ($expiresIn !== null && $expiresAt !== null) {
            throw new LecternException('bad_exp', '`expiresIn` and `expiresAt` are both set');
        }
        $claims = [
            'path' => self::objectPath($parts[2], $directory),
            'exp' => self::seconds($expiresAt) ?? $now + ($expiresIn ?? self::EXPIRES_IN),
            'nbf' => self::seconds($notBefore),
            'use' => $use,
            'sub' => $viewer,
            'jti' => $jti,
            'watch' => $watch,
            'max_height' => $maxHeight,
            'preview' => $preview,
            'langs' => $langs,
            'ip' => $ip,
            'country' => $country,
            'origin' => $origin,
        ];
        return self::withToken($parts, self::mint($claims, $keys, $now, $maxLinkAge, $maxWatch));
    }

    /**
     * As `link`, to write below a folder: the URL ends in a slash, or `directory: true` is set. It reads nothing.
     *
     * @param ?array{int, int} $preview
     * @param ?list<string> $langs
     * @param ?list<string> $ip
     * @param ?list<string> $country
     * @param ?list<string> $origin
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
        #[\SensitiveParameter] ?string $keys = null,
        int|\DateTimeInterface|null $now = null,
        int $maxLinkAge = self::MAX_LINK_AGE,
        int $maxWatch = self::MAX_WATCH,
    ): string {
        if (!str_ends_with(self::objectPath(self::urlParts($url)[2], $directory), '/')) {
            throw new LecternException('path_not_a_folder', 'an upload link opens a folder: end the URL in a slash, or set `directory: true`');
        }
        return self::link(
            $url, $viewer, $expiresIn, $expiresAt, $notBefore, $watch, $maxHeight, $preview, $langs, $ip, $country, $origin, $jti,
            'upload', $directory, $keys, $now, $maxLinkAge, $maxWatch,
        );
    }

    /**
     * A token over claims of these names: ['path' => '/courses/rails/', 'exp' => 1800000000, 'sub' => 's42']. A null is left out.
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
        [$kid, $secret] = self::keyring($keys)[0];
        $now = self::now($now);
        self::checkBounds(maxLinkAge: $maxLinkAge, maxWatch: $maxWatch);
        $claims = array_filter($claims, static fn (mixed $value): bool => $value !== null);
        foreach (array_keys($claims) as $name) {
            if (!isset(self::CLAIMS[$name])) {
                throw new LecternException('unknown_claim', "no claim is called `$name`");
            }
        }
        self::checkReserved($claims);
        $claims = self::check($claims);
        self::checkOpens($claims);
        self::checkExpiry($claims['exp'], $now, $maxLinkAge);
        if (($claims['watch'] ?? 0) > $maxWatch) {
            throw new LecternException('watch_too_long', "`watch` is {$claims['watch']} s, and the edge counts $maxWatch at most (MAX_WATCH)");
        }
        if (($claims['use'] ?? '') === 'play') {
            unset($claims['use']);
        }
        $header = ['alg' => 'HS256', 'typ' => 'JWT', 'kid' => $kid];
        $signed = self::encode(self::write($header)) . '.' . self::encode(self::write($claims));
        $token = $signed . '.' . self::encode(hash_hmac('sha256', $signed, $secret, true));
        if (strlen($token) > self::MAX_LINK_BYTES) {
            throw new LecternException('link_too_long', 'the link is longer than ' . self::MAX_LINK_BYTES . ' bytes');
        }
        return $token;
    }

    /**
     * The claims of a token, or of a URL that has one, which then has to open that URL; `url` is what it has to open else.
     *
     * @return array<string, mixed>
     */
    public static function verify(
        #[\SensitiveParameter] ?string $token,
        ?string $url = null,
        #[\SensitiveParameter] ?string $keys = null,
        int|\DateTimeInterface|null $now = null,
        int $maxLinkAge = self::MAX_LINK_AGE,
    ): array {
        $ring = self::keyring($keys);
        $now = self::now($now);
        self::checkBounds(maxLinkAge: $maxLinkAge);
        $token ??= '';
        preg_match(self::URL, $token, $parts);
        foreach (explode('&', $parts[3] ?? '') as $parameter) {
            if (str_starts_with($parameter, 'token=')) {
                $url ??= $token;
                $token = substr($parameter, strlen('token='));
                break;
            }
        }
        $claims = self::claimsOf($token, $ring);
        self::checkExpiry($claims['exp'], $now, $maxLinkAge);
        foreach (['nbf', 'iat'] as $name) {
            if (($claims[$name] ?? 0) > $now + 30) {
                throw new LecternException('not_yet_valid', "the link is not valid before {$claims[$name]}");
            }
        }
        self::checkReserved($claims);
        self::checkOpens($claims);
        if ($url !== null) {
            self::checkScope($claims['path'], $url);
        }
        return $claims + ['use' => 'play'];
    }

    /**
     * The ids of the keys, the minting one first, as the edge's /_lectern/health says them. Throws where the keys are wrong.
     *
     * @return list<string>
     */
    public static function keyIds(#[\SensitiveParameter] ?string $keys = null): array
    {
        return array_column(self::keyring($keys), 0);
    }

    /** @return list<array{string, string}> ids and secrets */
    private static function keyring(#[\SensitiveParameter] ?string $text): array
    {
        $text ??= $_ENV['LECTERN_KEYS'] ?? $_SERVER['LECTERN_KEYS'] ?? (string) getenv('LECTERN_KEYS');
        if (trim($text) === '') {
            throw new LecternException('no_keys', 'LECTERN_KEYS is not set: it is the text that the edge has, which `lectern keys new` printed');
        }
        $entries = self::read($text);
        $ring = [];
        foreach (is_array($entries) ? $entries : [null] as $entry) {
            $members = $entry instanceof \stdClass ? get_object_vars($entry) : [];
            if (count($members) !== 2 || !is_string($members['kid'] ?? null) || !is_string($members['secret'] ?? null)) {
                throw new LecternException('bad_keys', 'LECTERN_KEYS is not a JSON list of {"kid", "secret"}');
            }
            $ring[] = [$members['kid'], $members['secret']];
        }
        if ($ring === []) {
            throw new LecternException('no_keys', 'LECTERN_KEYS is an empty list: `lectern keys new` prints a value');
        }
        foreach ($ring as $at => [$kid, $secret]) {
            if (in_array($kid, array_column(array_slice($ring, 0, $at), 0), true)) {
                throw new LecternException('duplicate_kid', "LECTERN_KEYS has the kid `$kid` twice");
            }
            $ring[$at][1] = self::secret($kid, self::decode($secret));
        }
        return $ring;
    }

    private static function secret(string $kid, #[\SensitiveParameter] ?string $secret): string
    {
        if ($secret === null) {
            throw new LecternException('bad_secret', "the secret of `$kid` is not base64url without padding");
        }
        if (!preg_match('/\A[A-Za-z0-9._-]{1,64}\z/', $kid)) {
            throw new LecternException('bad_kid', 'a kid is not 1 to 64 characters of A-Za-z0-9._-');
        }
        $bytes = strlen($secret);
        if ($bytes < 32 || $bytes > 1024) {
            $code = $bytes < 32 ? 'key_too_short' : 'key_too_long';
            throw new LecternException($code, "the secret of `$kid` has $bytes bytes; it needs 32 to 1024");
        }
        return $secret;
    }

    /** @return array<int, ?string> the whole, origin, path, query, fragment */
    private static function urlParts(string $url): array
    {
        if (!self::isText($url) || !preg_match(self::URL, $url, $parts, PREG_UNMATCHED_AS_NULL)) {
            throw new LecternException('bad_url', 'not a URL of an edge: it begins with https:// or http://, without spaces in host and query');
        }
        return $parts;
    }

    /** @param array<int, ?string> $parts */
    private static function withToken(array $parts, string $token): string
    {
        [, $origin, $path, $query, $fragment] = $parts;
        $escaped = preg_replace_callback(
            '~[^A-Za-z0-9\-._\~!$&\'()*+,=:@/%]~',
            static fn (array $byte): string => sprintf('%%%02X', ord($byte[0])),
            $path,
        );
        $isOther = static fn (string $parameter): bool => $parameter !== 'token' && !str_starts_with($parameter, 'token=');
        $kept = ($query ?? '') === '' ? [] : array_filter(explode('&', $query), $isOther);
        return $origin . $escaped . '?' . implode('&', [...$kept, "token=$token"]) . ($fragment === null ? '' : "#$fragment");
    }

    /** What a URL's path names, decoded once. */
    private static function objectPath(string $path, bool $directory): string
    {
        if (!str_starts_with($path, '/')) {
            throw self::badPath('path_not_absolute');
        }
        $folder = strlen($path) > 1 && str_ends_with($path, '/');
        $encoded = substr($path, 1, $folder ? -1 : null);
        if (strlen($encoded) > 3 * 1024) {
            throw self::badPath('path_too_long');
        }
        $key = preg_replace_callback('/%([0-9A-Fa-f]{2})?/', static function (array $escape): string {
            $byte = isset($escape[1]) ? chr((int) hexdec($escape[1])) : throw self::badPath('path_bad_escape');
            return $byte === '/' || $byte === '\\' ? throw self::badPath('path_encoded_separator') : $byte;
        }, $encoded);
        $decoded = self::checkPath("/$key" . ($folder ? '/' : ''));
        return $directory && !$folder ? self::checkPath(substr($decoded, 0, (int) strrpos($decoded, '/') + 1)) : $decoded;
    }

    private static function checkPath(mixed $path): string
    {
        if (!is_string($path) || !str_starts_with($path, '/')) {
            throw self::badPath('path_not_absolute');
        }
        $key = substr($path, 1, strlen($path) > 1 && str_ends_with($path, '/') ? -1 : null);
        foreach ([
            'path_not_utf8' => !self::isText($path),
            'path_too_long' => strlen($key) > 1024,
            'path_backslash' => str_contains($key, '\\'),
            'path_semicolon' => str_contains($key, ';'),
            'path_control' => preg_match('/[\x00-\x1f\x7f]|\xc2[\x80-\x9f]/', $key) === 1,
            'path_encoded_twice' => preg_match('/%[0-9A-Fa-f]{2}/', $key) === 1,
        ] as $code => $breaks) {
            if ($breaks) {
                throw self::badPath($code);
            }
        }
        foreach (explode('/', $key) as $segment) {
            if ($segment === '') {
                throw self::badPath('path_empty_segment');
            }
            if ($segment === '.' || $segment === '..') {
                throw self::badPath('path_dot_segment');
            }
        }
        return $path;
    }

    /**
     * Restrictions that the edge does not enforce yet.
     *
     * @param array<string, mixed> $claims
     */
    private static function checkReserved(array $claims): void
    {
        foreach (['sessions', 'max_bytes'] as $name) {
            if (isset($claims[$name])) {
                throw new LecternException('reserved_claim', "`$name` is reserved: the edge refuses a link that has it");
            }
        }
    }

    /**
     * What is well-formed, and opens nothing at the edge.
     *
     * @param array<string, mixed> $claims
     */
    private static function checkOpens(array $claims): void
    {
        $path = $claims['path'];
        if (str_starts_with($path, '/_lectern/') || str_starts_with($path, '/~')) {
            throw self::badPath('path_reserved');
        }
        if (substr_count($path, '/') > 256) {
            throw self::badPath('path_too_deep');
        }
        $isRestricted = isset($claims['max_height']) || isset($claims['preview']) || isset($claims['langs']);
        if ($isRestricted && ($claims['use'] ?? '') !== 'upload' && preg_match(self::NO_PLAYLIST, $path)) {
            $rule = 'a link with `maxHeight`, `preview` or `langs` opens playlists: link to the `.m3u8`, or to its folder';
            throw new LecternException('path_not_a_playlist', $rule);
        }
    }

    private static function badPath(string $code): LecternException
    {
        return new LecternException($code, 'the path ' . self::PATHS[$code] . '; it is `/folder/object`, or `/folder/` for everything in it');
    }

    private static function seconds(int|\DateTimeInterface|null $instant): ?int
    {
        return $instant instanceof \DateTimeInterface ? $instant->getTimestamp() : $instant;
    }

    private static function now(int|\DateTimeInterface|null $now): int
    {
        return self::whole(self::seconds($now) ?? time(), 0, self::MAX_SAFE_INTEGER)
            ?? throw new LecternException('bad_option', '`now` is seconds since 1970, or a DateTimeInterface');
    }

    private static function checkBounds(int ...$bounds): void
    {
        foreach ($bounds as $name => $bound) {
            if ($bound < 0) {
                throw new LecternException('bad_option', "`$name` is a whole number of seconds");
            }
        }
    }

    private static function checkExpiry(int $exp, int $now, int $maxLinkAge): void
    {
        if ($exp < $now) {
            throw new LecternException('expired', "the link expired at $exp; it is $now");
        }
        if ($exp - $now > $maxLinkAge) {
            throw new LecternException('exp_too_far', "the link expires more than $maxLinkAge s ahead (MAX_LINK_AGE)");
        }
    }

    /**
     * Claims in their order, each as the edge writes it.
     *
     * @param array<string, mixed> $claims
     * @return array<string, mixed>
     */
    private static function check(array $claims): array
    {
        $checked = [];
        foreach (self::CLAIMS as $name => $rule) {
            if (!array_key_exists($name, $claims) && $name !== 'path' && $name !== 'exp') {
                continue;
            }
            $value = $claims[$name] ?? null;
            $checked[$name] = match ($name) {
                'path' => self::checkPath($value),
                'exp', 'nbf', 'iat' => self::whole($value, 0, self::MAX_SAFE_INTEGER),
                'watch', 'max_bytes' => self::whole($value, 1, self::MAX_SAFE_INTEGER),
                'max_height', 'sessions' => self::whole($value, 1, 2 ** 32 - 1),
                'use' => in_array($value, self::USES, true) ? $value : null,
                'sub', 'jti' => is_string($value) && self::isText($value) && strlen($value) >= 1 && strlen($value) <= 256 ? $value : null,
                'preview' => self::preview($value),
                'langs' => self::entries($value, static fn (string $lang): ?string
                    => preg_match('/\A[A-Za-z0-9]{1,8}+(?:-[A-Za-z0-9]{1,8}+)*+\z/', $lang) ? $lang : null),
                'ip' => self::entries($value, self::cidr(...)),
                'country' => self::entries($value, static fn (string $code): ?string
                    => preg_match('/\A[A-Za-z][A-Za-z0-9]\z/', $code) ? strtoupper($code) : null),
                'origin' => self::entries($value, self::origin(...)),
            };
            if ($checked[$name] === null) {
                throw new LecternException("bad_$name", $rule);
            }
        }
        return $checked;
    }

    private static function whole(mixed $value, int $least, int $most): ?int
    {
        return is_int($value) && $value >= $least && $value <= $most ? $value : null;
    }

    /** @return ?array{int, int} */
    private static function preview(mixed $value): ?array
    {
        if (!is_array($value) || !array_is_list($value) || count($value) !== 2) {
            return null;
        }
        [$from, $to] = array_map(static fn (mixed $second): ?int => self::whole($second, 0, 2 ** 32 - 1), $value);
        return $from !== null && $to !== null && $from < $to ? [$from, $to] : null;
    }

    /** @return ?list<string> */
    private static function entries(mixed $value, \Closure $read): ?array
    {
        if (!is_array($value) || !array_is_list($value) || $value === [] || count($value) > 32) {
            return null;
        }
        $entries = array_map(static fn (mixed $entry): ?string => is_string($entry) ? $read($entry) : null, $value);
        return in_array(null, $entries, true) ? null : $entries;
    }

    private static function origin(string $text): ?string
    {
        if (!preg_match('~\A([A-Za-z0-9.:\[\]+-]+)://(?:\*(?=\.))?([A-Za-z0-9.:\[\]+-]+)\z~', $text, $parts)) {
            return null;
        }
        [, $scheme, $host] = $parts;
        return strtolower("$scheme://" . ($host[0] === '.' ? '*' : '') . $host);
    }

    /** RFC 4632, RFC 4291: no bit behind the prefix, no IPv4 address written as IPv6. */
    private static function cidr(string $text): ?string
    {
        if (!preg_match('~\A([0-9A-Fa-f:.]+)(?:/([0-9]+))?\z~', $text, $parts)) {
            return null;
        }
        $bytes = @inet_pton($parts[1]);
        if ($bytes === false || str_starts_with($bytes, str_repeat("\0", 10) . "\xff\xff")) {
            return null;
        }
        $length = (int) ($parts[2] ?? 8 * strlen($bytes));
        if ($length > 8 * strlen($bytes)) {
            return null;
        }
        foreach (str_split($bytes) as $at => $byte) {
            if (ord($byte) & ((1 << min(8, max(0, 8 * $at + 8 - $length))) - 1)) {
                return null;
            }
        }
        if (strlen($bytes) === 4) {
            return implode('.', unpack('C4', $bytes)) . "/$length";
        }
        // RFC 5952: the first of the longest runs of zeros is left out.
        $groups = implode(':', array_map('dechex', unpack('n8', $bytes)));
        preg_match_all('/\b0(?::0)+\b/', $groups, $runs);
        $zeros = array_reduce($runs[0], static fn (string $longest, string $run): string => strlen($run) > strlen($longest) ? $run : $longest, '');
        return ($zeros === '' ? $groups : preg_replace("/(^|:)$zeros(:|\$)/", '::', $groups, 1)) . "/$length";
    }

    /**
     * The claims of a token whose form and signature are right, whatever the time.
     *
     * @param list<array{string, string}> $ring
     * @return array<string, mixed>
     */
    private static function claimsOf(string $token, #[\SensitiveParameter] array $ring): array
    {
        if (strlen($token) > self::MAX_LINK_BYTES) {
            throw new LecternException('link_too_long', 'the link is longer than ' . self::MAX_LINK_BYTES . ' bytes');
        }
        $parts = explode('.', $token);
        $decoded = array_map(self::decode(...), $parts);
        if (count($parts) !== 3 || in_array(null, $decoded, true)) {
            throw new LecternException('malformed', 'the link is not a JWT of three base64url parts');
        }
        [$header, $payload, $signature] = $decoded;
        $kid = self::checkHeader(self::read($header));
        $at = array_search($kid, array_column($ring, 0), true);
        // An unknown kid takes as long as a wrong signature.
        $right = hash_equals(hash_hmac('sha256', "$parts[0].$parts[1]", $ring[(int) $at][1], true), $signature);
        if ($at === false) {
            throw new LecternException('unknown_key', "no key has the link's kid `$kid`");
        }
        if (!$right) {
            throw new LecternException('bad_signature', 'the signature is wrong');
        }
        $claims = self::read($payload);
        if (!$claims instanceof \stdClass) {
            throw new LecternException('bad_claims', 'the claims are no JSON object');
        }
        try {
            return self::check(get_object_vars($claims));
        } catch (LecternException $error) {
            throw new LecternException('bad_claims', "the claims are not acceptable: {$error->getMessage()}");
        }
    }

    /** The `kid` of a header that says what it must. */
    private static function checkHeader(mixed $header): string
    {
        $members = $header instanceof \stdClass ? get_object_vars($header) : [];
        $typ = array_key_exists('typ', $members) ? $members['typ'] : 'JWT';
        $crit = array_key_exists('crit', $members) ? $members['crit'] : ['exp'];
        if (
            ($members['alg'] ?? null) !== 'HS256' || !is_string($members['kid'] ?? null) || !is_string($typ) || strtoupper($typ) !== 'JWT'
            || !is_array($crit) || $crit === [] || array_filter($crit, 'is_string') !== $crit
        ) {
            throw new LecternException('bad_header', 'the header is not {"alg":"HS256","kid":…}');
        }
        foreach ($crit as $name) {
            if (!isset(self::CLAIMS[$name])) {
                throw new LecternException('unknown_critical', "the header's `crit` lists `$name`, which is not understood");
            }
        }
        return $members['kid'];
    }

    private static function checkScope(string $path, string $url): void
    {
        $opened = self::objectPath(self::urlParts($url)[2], false);
        if ($opened !== $path && !(str_ends_with($path, '/') && str_starts_with($opened, $path))) {
            throw new LecternException('wrong_scope', "the link opens `$path`, and not `$opened`");
        }
    }

    private static function isText(string $value): bool
    {
        return preg_match('//u', $value) === 1;
    }

    /** As the edge reads JSON: no member twice, 16 levels at most; null where it is not. */
    private static function read(string $text): mixed
    {
        if (json_decode($text, true) === null || !preg_match_all(self::TOKEN, $text, $found)) {
            return null;
        }
        $open = [];
        foreach ($found[0] as $at => $token) {
            if ($token === '}' || $token === ']') {
                array_pop($open);
            } elseif ($token !== ',' && $token !== ':' && count($open) > 16) {
                return null;
            }
            if (($found[0][$at + 1] ?? '') === ':') {
                $name = json_decode($token);
                if (in_array($name, $open[count($open) - 1] ?? [], true)) {
                    return null;
                }
                $open[count($open) - 1][] = $name;
                // No object of PHP has a member whose name begins so; nor has a name that is known.
                if (str_starts_with($name, "\0")) {
                    $found[0][$at] = json_encode("unknown$name");
                }
            }
            if ($token === '{' || $token === '[') {
                $open[] = [];
            }
        }
        // `-0` is no whole number of the edge's, and a 0 of PHP's; what is no whole number is no claim.
        return json_decode(implode('', array_map(static fn (string $token): string => $token === '-0' ? 'null' : $token, $found[0])));
    }

    /** @param array<string, mixed> $value */
    private static function write(array $value): string
    {
        return json_encode($value, JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_LINE_TERMINATORS | JSON_THROW_ON_ERROR);
    }

    private static function encode(string $bytes): string
    {
        return rtrim(strtr(base64_encode($bytes), '+/', '-_'), '=');
    }

    /** Base64url without padding (RFC 4648 §5), in its one right spelling. */
    private static function decode(string $text): ?string
    {
        $bytes = base64_decode(strtr($text, '-_', '+/'), true);
        return $bytes !== false && self::encode($bytes) === $text ? $bytes : null;
    }
}
