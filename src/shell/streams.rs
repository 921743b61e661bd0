//! Bodies: read whole, sent from memory, or split in two.

use js_sys::futures::JsFuture;
use js_sys::{Array, ArrayBuffer, Promise, Uint8Array};
use wasm_bindgen::{JsCast as _, JsValue};
use web_sys::{ReadableStream, Response, WritableStreamDefaultWriter};
use worker::Result;
use worker_sys::FixedLengthStream;

use super::hold::Held;

/// Reads a body, for which `held` was reserved. It frees the platform's buffer at once, without
/// waiting for the garbage collector.
pub(super) async fn read(stream: &ReadableStream, held: &Held) -> Result<Vec<u8>> {
    let body = Response::new_with_opt_readable_stream(Some(stream))?;
    let buffer = held.during(JsFuture::from(body.array_buffer()?)).await?;
    let buffer: ArrayBuffer = buffer.unchecked_into();
    let bytes = Uint8Array::new(&buffer).to_vec();
    free(&buffer);
    Ok(bytes)
}

/// Cancels an unused body.
pub(super) fn discard(stream: &ReadableStream) {
    let _ = stream.cancel();
}

pub(super) fn free(buffer: &ArrayBuffer) {
    let _ = buffer.transfer_with_length(0);
}

/// Splits a stream. The pipe of known length signals when the first copy has left memory.
pub(super) fn fork(
    stream: &ReadableStream,
    length: u64,
) -> Result<(ReadableStream, ReadableStream, Promise)> {
    let branches = stream.tee();
    let first: ReadableStream = branches.get(0).unchecked_into();
    let pipe = pipe(length)?;
    let sent = first.pipe_to(&pipe.writable());
    Ok((pipe.readable(), branches.get(1).unchecked_into(), sent))
}

/// Bytes on their way to a client.
pub(super) struct Sending {
    bytes: Uint8Array,
    writer: WritableStreamDefaultWriter,
    sent: Promise,
}

impl Sending {
    /// Sends bytes through a stream, whose end signals that they have left memory.
    pub(super) fn of(bytes: &[u8]) -> Result<(ReadableStream, Self)> {
        let pipe = pipe(bytes.len() as u64)?;
        let bytes = Uint8Array::from(bytes);
        let writer = pipe.writable().get_writer()?;
        let written = writer.write_with_chunk(&bytes);
        let sent = Promise::all(&Array::of2(&written, &writer.close()));
        let sending = Self {
            bytes,
            writer,
            sent,
        };
        Ok((pipe.readable(), sending))
    }

    /// Waits until the bytes were read, or the client disconnected.
    pub(super) async fn end(&self) {
        let _ = JsFuture::from(self.sent.clone()).await;
    }

    /// Aborts the stream before its length, which every client recognizes as an error.
    pub(super) async fn abort(&self) {
        let reason = JsValue::from_str("not read in time");
        let _ = JsFuture::from(self.writer.abort_with_reason(&reason)).await;
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        free(&self.bytes.buffer());
    }
}

fn pipe(length: u64) -> Result<FixedLengthStream> {
    Ok(match u32::try_from(length) {
        Ok(length) => FixedLengthStream::new(length)?,
        Err(_) => FixedLengthStream::new_big_int(length.into())?,
    })
}
