<?php

// sdk/vectors.json, and what the vectors do not say: php test.php

declare(strict_types=1);

use Lectern\Lectern;
use Lectern\LecternException;

require __DIR__ . '/src/Lectern.php';

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

function edge(array $vector): array
{
    global $keys;
    $edge = ['keys' => $keys];
    foreach (['now', 'max_link_age', 'max_watch'] as $name) {
        if (isset($vector[$name])) {
            $edge[camel($name)] = $vector[$name];
        }
    }
    return $edge;
}

function call(array $vector): string
{
    $options = [];
    foreach ($vector['options'] as $name => $value) {
        $options[camel($name)] = $value;
    }
    return [Lectern::class, camel($vector['call'])]($vector['url'], ...$options, ...edge($vector));
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

/** What a vector's wrong type meets first in a typed language is the type. */
function refused(array $vector, Closure $refuse): void
{
    try {
        $found = 'accepted: ' . json_encode($refuse());
    } catch (LecternException $error) {
        $found = $error->getMessage() === '' ? 'no message' : $error->getCode();
    } catch (TypeError $error) {
        $given = ['expires_in', 'viewer'];
        $found = array_intersect($given, array_keys($vector['options'] ?? [])) ? $vector['error'] : (string) $error;
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
    same(true, Lectern::verify($vector['link'], ...edge($vector)) !== [], $vector['name']);
}
foreach ($vectors['verify'] as $vector) {
    $claims = Lectern::verify($vector['token'], $vector['url'] ?? null, ...edge($vector));
    same(sorted($vector['claims'] + ['use' => 'play']), sorted($claims), $vector['name']);
}
foreach ($vectors['refused_claims'] as $vector) {
    refused($vector, static fn () => Lectern::mint($vector['claims'], ...edge($vector)));
}
foreach ($vectors['refused_links'] as $vector) {
    refused($vector, static fn () => call($vector));
}
foreach ($vectors['refused_tokens'] as $vector) {
    refused($vector, static fn () => Lectern::verify($vector['token'], $vector['url'] ?? null, ...edge($vector)));
}
foreach ($vectors['refused_keys'] as $vector) {
    refused($vector, static fn () => Lectern::keyIds($vector['keys']));
}
refused(['error' => 'no_keys'], static fn () => Lectern::keyIds(' '));
same(['2026-11', 'old._-'], Lectern::keyIds($keys), 'key ids');
same(['2026'], Lectern::keyIds(str_replace(['2026-11', 'old._-'], ['2026', '2027'], substr($keys, 0, (int) strpos($keys, '},') + 1) . ']')), 'an id of digits');

// Keys come from the environment, and times may be objects.
putenv("LECTERN_KEYS=$keys");
$at = new DateTimeImmutable('+1 minute');
same($at->getTimestamp(), Lectern::verify(Lectern::link('https://h/a', expiresAt: $at))['exp'], 'a time as an object');
putenv('LECTERN_KEYS');

// Text that is not UTF-8 is no text.
refused(['error' => 'bad_sub'], static fn () => Lectern::mint(['path' => '/a', 'exp' => 60, 'sub' => "\xff"], $keys, 0));
refused(['error' => 'path_not_utf8'], static fn () => Lectern::mint(['path' => "/\xff", 'exp' => 60], $keys, 0));
refused(['error' => 'bad_url'], static fn () => Lectern::link("https://h/\xff", keys: $keys, now: 0));

echo "$checks checks, $failures failures\n";
exit($failures === 0 && $checks > 250 ? 0 : 1);
