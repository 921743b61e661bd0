<?php

// sdk/vectors.json, and cases that JSON cannot express: php test.php

declare(strict_types=1);

use Lectern\Lectern;
use Lectern\LecternException;
use Lectern\Verifier;

require __DIR__ . '/src/Verifier.php';

error_reporting(E_ALL);
set_error_handler(static fn (int $level, string $message) => error_reporting() & $level ? throw new ErrorException($message) : true);

$vectors = json_decode((string) file_get_contents(__DIR__ . '/../vectors.json'), true, 512, JSON_THROW_ON_ERROR);
$keys = $vectors['keys'];
$failures = 0;
$checks = 0;

function camel(string $name): string
{
    return lcfirst(str_replace('_', '', ucwords($name, '_')));
}

/** Options of a vector's call. */
function edge(array $vector): array
{
    global $keys;
    $edge = ['keys' => $keys];
    foreach ($vector['options'] ?? [] as $name => $value) {
        $edge[camel($name)] = $value;
    }
    foreach (['now', 'max_link_age', 'max_watch'] as $name) {
        if (isset($vector[$name]) && !isset($vector['options'][$name])) {
            $edge[camel($name)] = $vector[$name];
        }
    }
    return $edge;
}

function call(array $vector): string
{
    return [Lectern::class, camel($vector['call'])]($vector['url'], ...edge($vector));
}

function same(mixed $expected, mixed $found, string $what): void
{
    global $failures, $checks;
    $checks += 1;
    if ($expected !== $found) {
        $failures += 1;
        fwrite(STDERR, "$what: expected " . var_export($expected, true) . ', found ' . var_export($found, true) . "\n");
    }
}

/** PHP refuses a wrong type before the SDK does. */
function refused(array $vector, Closure $refuse): void
{
    try {
        $found = 'accepted: ' . json_encode($refuse());
    } catch (LecternException $error) {
        $found = $error->getMessage() === '' ? 'no message' : $error->reason;
    } catch (TypeError $error) {
        $isTyped = static fn (string $name): bool => str_contains($error->getMessage(), '($' . camel($name) . ') must be of type');
        $found = array_filter(array_keys($vector['options'] ?? []), $isTyped) ? $vector['error'] : (string) $error;
    }
    same($vector['error'], $found, json_encode($vector));
}

function sorted(array $claims): array
{
    ksort($claims);
    return $claims;
}

foreach ($vectors['mint'] as $vector) {
    same($vector['token'], Lectern::mint($vector['claims'], ...edge($vector)), $vector['name']);
}
foreach ($vectors['link'] as $vector) {
    same($vector['link'], call($vector), $vector['name']);
    same(true, Verifier::verify($vector['link'], ...edge(['options' => []] + $vector)) !== [], $vector['name']);
}
foreach ($vectors['verify'] as $vector) {
    $claims = Verifier::verify($vector['token'], $vector['url'] ?? null, ...edge($vector));
    same(sorted($vector['claims'] + ['use' => 'play']), sorted($claims), $vector['name']);
}
foreach ($vectors['refused_claims'] as $vector) {
    refused($vector, static fn () => Lectern::mint($vector['claims'], ...edge($vector)));
}
foreach ($vectors['embed'] as $vector) {
    same($vector['link'], call($vector), $vector['name']);
}
foreach ($vectors['refused_links'] as $vector) {
    refused($vector, static fn () => call($vector));
}
foreach ($vectors['refused_tokens'] as $vector) {
    refused($vector, static fn () => Verifier::verify($vector['token'], $vector['url'] ?? null, ...edge($vector)));
}
foreach ($vectors['refused_keys'] as $vector) {
    refused($vector, static fn () => Lectern::keyIds($vector['keys']));
}
refused(['error' => 'no_keys'], static fn () => Lectern::keyIds(' '));
same(['2026-11', 'old._-'], Lectern::keyIds($keys), 'key ids');
same(['2026'], Lectern::keyIds(str_replace(['2026-11', 'old._-'], ['2026', '2027'], substr($keys, 0, (int) strpos($keys, '},') + 1) . ']')), 'an id of digits');

// Keys come from the environment. Times may be objects.
putenv("LECTERN_KEYS=$keys");
$at = new DateTimeImmutable('+1 minute');
same($at->getTimestamp(), Verifier::verify(Lectern::link('https://h/a', expiresAt: $at))['exp'], 'a time as an object');
putenv('LECTERN_KEYS');

// An error can be the cause of another.
try {
    Lectern::keyIds(' ');
} catch (LecternException $error) {
    $other = new RuntimeException($error->getMessage(), $error->getCode(), $error);
    same([0, 'no_keys'], [$other->getCode(), $error->reason], 'the code of an error');
}

// A stack trace has no keys, neither wrong nor right ones.
ini_set('zend.exception_ignore_args', '0');
$secret = json_decode($keys)[0]->secret;
foreach ([
    'link' => static fn () => Lectern::link('https://h/a', viewer: '', keys: $keys),
    'uploadLink' => static fn () => Lectern::uploadLink('https://h/a/', viewer: '', keys: $keys),
    'embedUrl' => static fn () => Lectern::embedUrl('https://h/a/', viewer: '', keys: $keys),
    'posterUrl' => static fn () => Lectern::posterUrl('https://h/a/', viewer: '', keys: $keys),
    'downloadUrl' => static fn () => Lectern::downloadUrl('https://h/a/', viewer: '', keys: $keys),
    'uploadLink of no folder' => static fn () => Lectern::uploadLink('https://h/a', keys: $keys),
    'mint' => static fn () => Lectern::mint(['path' => '/a'], $keys),
    'verify' => static fn () => Verifier::verify('a', keys: $keys),
    'keyIds' => static fn () => Lectern::keyIds($keys . '!'),
] as $call => $ask) {
    try {
        $ask();
        same('refused', 'accepted', $call);
    } catch (LecternException $error) {
        $said = print_r(array_map(static fn (array $frame): array => [$frame['class'] ?? '' => $frame['class'] ?? '' ? $frame['args'] ?? [] : []], $error->getTrace()), true);
        same(PHP_VERSION_ID < 80200, str_contains($said . $error, substr($secret, 0, 12)), "keys in the trace of $call");
    }
}

// uploadLink takes the options of link except `use`.
$types = static fn (string $call): array => array_reduce(
    (new ReflectionMethod(Lectern::class, $call))->getParameters(),
    static fn (array $types, ReflectionParameter $one): array => $types + [$one->getName() => (string) $one->getType()],
    [],
);
same(sorted(array_diff_key($types('link'), ['use' => 0])), sorted($types('uploadLink')), 'the options of uploadLink');
$bounds = ['maxBytes' => 0, 'maxObjects' => 0, 'types' => 0];
same(sorted(array_diff_key($types('uploadLink'), $bounds)), sorted($types('embedUrl')), 'the options of embedUrl');
same(sorted(array_diff_key($types('link'), $bounds, ['use' => 0, 'directory' => 0])), sorted($types('posterUrl')), 'the options of posterUrl');
same(sorted($types('posterUrl') + ['name' => '?string']), sorted($types('downloadUrl')), 'the options of downloadUrl');
same('s42', Verifier::verify(Lectern::uploadLink('https://h/a/m.m3u8', true, 's42', keys: $keys), keys: $keys)['sub'], 'uploadLink by position');
foreach (['maxheight' => 480, 'use' => 'play'] as $name => $value) {
    try {
        same('refused', Lectern::uploadLink('https://h/a/', ...[$name => $value], keys: $keys), $name);
    } catch (Error $error) {
        same("Unknown named parameter \$$name", $error->getMessage(), $name);
    }
}

// Missing and huge values.
$huge = str_repeat('a', 400_000);
refused(['error' => 'malformed'], static fn () => Verifier::verify(null, keys: $keys));
refused(['error' => 'bad_option'], static fn () => Verifier::verify('a', keys: $keys, now: new DateTimeImmutable('1969-12-31')));
refused(['error' => 'bad_keys'], static fn () => Lectern::keyIds($huge));
refused(['error' => 'key_too_long'], static fn () => Lectern::keyIds(json_encode([['kid' => 'k', 'secret' => $huge]])));
refused(['error' => 'link_too_long'], static fn () => Lectern::link('https://h/a', langs: ['a' . str_repeat('-a', 200_000)], keys: $keys));

// Text must be UTF-8.
refused(['error' => 'bad_sub'], static fn () => Lectern::mint(['path' => '/a', 'exp' => 60, 'sub' => "\xff"], $keys, 0));
refused(['error' => 'path_not_utf8'], static fn () => Lectern::mint(['path' => "/\xff", 'exp' => 60], $keys, 0));
refused(['error' => 'bad_url'], static fn () => Lectern::link("https://h/\xff", keys: $keys, now: 0));

echo "$checks checks, $failures failures\n";
exit($failures === 0 && $checks > 500 ? 0 : 1);
