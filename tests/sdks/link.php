<?php

// PHP: `link` or `upload_link` of the URL in the second argument; the keys come from LECTERN_KEYS.

declare(strict_types=1);

use Lectern\Lectern;

require __DIR__ . '/../../sdk/php/src/Lectern.php';

echo match ($argv[1]) {
    'link' => Lectern::link($argv[2], viewer: 's/42 é', expiresIn: 600),
    'upload_link' => Lectern::uploadLink($argv[2], viewer: 's/42 é', expiresIn: 600),
};
