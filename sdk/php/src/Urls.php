<?php

declare(strict_types=1);

namespace Lectern;

/**
 * URLs of an edge, and the paths of objects and folders in them.
 *
 * @internal
 */
final class Urls
{
    /** RFC 3986. */
    private const URL = '~\A(https?://[^/?#\\\\\x00-\x20\x7f]+)(/[^?#]*|)'
        . '(?:\?([^#\x00-\x20\x7f]*))?(?:#([^\x00-\x20\x7f]*))?\z~i';

    /** Longest name of a download, in bytes. Encoded, it fits a query beside the longest link. */
    private const MAX_NAME_BYTES = 1024;

    /** Faults of a path: a description, and the pattern of a key that has the fault. */
    private const FAULTS = [
        'path_not_absolute' => ['does not start with a slash', null],
        'path_bad_escape' => ['has a percent sign without two hexadecimal digits', null],
        'path_encoded_separator' => ['has an encoded slash or backslash', null],
        'path_not_utf8' => ['is not UTF-8', null],
        'path_too_long' => ['is longer than 1024 bytes', '~\A.{1025}~s'],
        'path_backslash' => ['has a backslash', '~\\\\~'],
        'path_semicolon' => ['has a semicolon', '~;~'],
        'path_control' => ['has a control character', '~[\x00-\x1f\x7f]|\xc2[\x80-\x9f]~'],
        'path_encoded_twice' => ['is percent-encoded twice', '~%[0-9A-Fa-f]{2}~'],
        'path_empty_segment' => [
            'has an empty segment, or names the whole bucket',
            '~\A(?:(?!\.\.?/)[^/]++/)*+(?:/|\z)~',
        ],
        'path_dot_segment' => ['has a `.` or `..` segment', '~(?<![^/])\.\.?(?![^/])~'],
        'path_reserved' => ['starts with `/~`, or with `/_lectern/` and is not for `admin`', null],
        'path_too_deep' => ['has more than 255 folders', null],
    ];

    /**
     * Origin, path, query and fragment of a URL, as they are written.
     *
     * @return array{string, string, ?string, ?string}
     */
    public static function split(string $url): array
    {
        if (!self::isText($url) || !preg_match(self::URL, $url, $parts, PREG_UNMATCHED_AS_NULL)) {
            $rule = 'has a space in its host, query or fragment';
            $rule = "the URL does not start with http(s)://, or $rule";
            throw new LecternException('bad_url', $rule);
        }
        return array_slice($parts, 1);
    }

    /**
     * URL of these parts, with this token in place of any other.
     *
     * @param array{string, string, ?string, ?string} $parts
     */
    public static function addToken(array $parts, string $token): string
    {
        [$origin, $path, $query, $fragment] = $parts;
        $escape = static fn (array $byte): string => sprintf('%%%02X', ord($byte[0]));
        $path = preg_replace_callback('~[^A-Za-z0-9\-._\~!$&\'()*+,=:@/%]~', $escape, $path);
        $query = self::putMember($query, 'token', $token);
        return "$origin$path?$query" . ($fragment === null ? '' : "#$fragment");
    }

    /** Query in which a member has this value alone. An empty value removes the member. */
    public static function putMember(?string $query, string $name, string $value): string
    {
        $members = ($query ?? '') === '' ? [] : explode('&', $query);
        $kept = preg_grep("~\\A$name(?:=|\\z)~", $members, PREG_GREP_INVERT);
        return implode('&', $value === '' ? $kept : [...$kept, "$name=$value"]);
    }

    /**
     * URL of another object in the same folder, without a token.
     *
     * @param array{string, string, ?string, ?string} $parts
     */
    public static function beside(array $parts, string $name): string
    {
        [$origin, $path, $query, $fragment] = $parts;
        if (!str_starts_with($path, '/')) {
            throw self::badPath('path_not_absolute');
        }
        $folder = substr($path, 0, (int) strrpos($path, '/') + 1);
        $kept = self::putMember($query, 'token', '');
        $query = $kept === '' ? '' : "?$kept";
        return "$origin$folder$name$query" . ($fragment === null ? '' : "#$fragment");
    }

    /** Name of a download, percent-encoded. */
    public static function encodeName(?string $name): string
    {
        $text = $name ?? '';
        if (!self::isText($text) || strlen($text) > self::MAX_NAME_BYTES) {
            $rule = '`name` must be a text of ' . self::MAX_NAME_BYTES . ' bytes at most';
            throw new LecternException('bad_option', $rule);
        }
        return rawurlencode($text);
    }

    /** Token in the query of a link. */
    public static function findToken(#[\SensitiveParameter] string $link): ?string
    {
        preg_match(self::URL, $link, $parts);
        foreach (explode('&', $parts[3] ?? '') as $member) {
            if (str_starts_with($member, 'token=')) {
                return substr($member, strlen('token='));
            }
        }
        return null;
    }

    /** Path that a link to this path of a URL opens, decoded once. */
    public static function readPath(string $encoded, bool $directory = false): string
    {
        if (!str_starts_with($encoded, '/')) {
            throw self::badPath('path_not_absolute');
        }
        if (preg_match('~%(?![0-9A-Fa-f]{2})|%2[Ff]|%5[Cc]~', $encoded, $wrong)) {
            throw self::badPath($wrong[0] === '%' ? 'path_bad_escape' : 'path_encoded_separator');
        }
        $path = self::checkPath(rawurldecode($encoded));
        $folder = substr($path, 0, (int) strrpos($path, '/') + 1);
        return $directory ? self::checkPath($folder) : $path;
    }

    /** Path of an object or folder. */
    public static function checkPath(mixed $path): string
    {
        if (!is_string($path) || !str_starts_with($path, '/')) {
            throw self::badPath('path_not_absolute');
        }
        if (!self::isText($path)) {
            throw self::badPath('path_not_utf8');
        }
        $key = preg_replace('~/\z~', '', substr($path, 1));
        foreach (self::FAULTS as $code => [, $fault]) {
            if ($fault !== null && preg_match($fault, $key)) {
                throw self::badPath($code);
            }
        }
        return $path;
    }

    /** Error of a path with this fault. */
    public static function badPath(string $code): LecternException
    {
        $rule = 'write `/folder/object`, or `/folder/` for everything in it';
        return new LecternException($code, 'the path ' . self::FAULTS[$code][0] . "; $rule");
    }

    /** True for text in UTF-8. */
    public static function isText(string $value): bool
    {
        return preg_match('//u', $value) === 1;
    }
}
