// Opens the recorder with the address of the lecture's page, which it copies when the recording
// ends. The browser knows the school's origin; headers of a request could be forged.
const frame = document.querySelector("iframe");
const page = new URL(frame.dataset.page, location.href);
frame.src = `${frame.dataset.recorder}&watch=${encodeURIComponent(page.href)}`;
