<?php

declare(strict_types=1);

namespace Lectern;

/**
 * Refusal of a link. `$reason` is stable, and the same in every language.
 *
 * `getCode()` is 0, because PHP wants a number there.
 */
final class LecternException extends \InvalidArgumentException
{
    public function __construct(public readonly string $reason, string $message)
    {
        parent::__construct($message);
    }
}
