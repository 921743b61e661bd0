// Answers a number of milliseconds with a message after each of them.
onmessage = ({ data }: MessageEvent<number>) => void setInterval(() => postMessage(0), data);
