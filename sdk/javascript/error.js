/** Refusal of a link. `code` is stable, and the same in every language. */
export class LecternError extends Error {
    name = /** @type {const} */ ('LecternError');

    /** @param {import('./lectern.d.ts').ErrorCode} code @param {string} message */
    constructor(code, message) {
        super(message);
        this.code = code;
    }
}
