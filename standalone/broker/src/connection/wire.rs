//! Frames, and the parts of the protocol that are cheaper to write by hand than to decode and encode again.
//!
//! A frame is a length (i32) and that many bytes: in a request the header and the body, in a response the correlation
//! id and the body.

use std::io;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use fluvio_protocol::{Decoder, Encoder, Version};
use tokio::io::{AsyncRead, AsyncReadExt};

/// A frame's buffer grows by this much while its bytes arrive, so that a length alone costs nothing.
const READ_STEP_BYTES: usize = 64 * 1024;

/// Reads the next frame. `None` when the client closed the connection between two.
///
/// # Errors
/// When the connection breaks, or a frame claims more than `bytes_max`.
pub(crate) async fn read_frame(
    reader: &mut (impl AsyncRead + Unpin),
    buffer: &mut BytesMut,
    bytes_max: usize,
) -> io::Result<Option<Bytes>> {
    loop {
        let mut wanted = 4;
        if let Some(len) = buffer.first_chunk::<4>() {
            let len = i32::from_be_bytes(*len);
            let len = usize::try_from(len)
                .ok()
                .filter(|len| *len <= bytes_max)
                .ok_or_else(|| {
                    io::Error::new(
                        io::ErrorKind::InvalidData,
                        format!("a frame of {len} bytes is not within 0 to {bytes_max}"),
                    )
                })?;
            wanted += len;
            if buffer.len() >= wanted {
                buffer.advance(4);
                return Ok(Some(buffer.split_to(len).freeze()));
            }
        }
        buffer.reserve((wanted - buffer.len()).min(READ_STEP_BYTES));
        if reader.read_buf(buffer).await? == 0 {
            if buffer.is_empty() {
                return Ok(None);
            }
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

/// The frame of a response.
pub(crate) fn response_frame(
    correlation_id: i32,
    response: &impl Encoder,
    version: Version,
) -> io::Result<Bytes> {
    frame(correlation_id, response, version, 0)
}

/// The start of a response's frame that `follow_bytes` more bytes belong to.
pub(crate) fn frame(
    correlation_id: i32,
    response: &impl Encoder,
    version: Version,
    follow_bytes: usize,
) -> io::Result<Bytes> {
    let size = 4 + response.write_size(version);
    let mut frame = BytesMut::with_capacity(4 + size);
    frame.put_i32(0);
    frame.put_i32(correlation_id);
    response.encode(&mut frame, version)?;
    // Not write_size: some encoders of the schema crates estimate it.
    let len = i32::try_from(frame.len() - 4 + follow_bytes)
        .map_err(|_| io::Error::other("a response above 2 GiB"))?;
    frame[..4].copy_from_slice(&len.to_be_bytes());
    Ok(frame.freeze())
}

/// A record set as it is on the wire, its batches not decoded.
#[derive(Debug, Default, Clone)]
pub(crate) struct RawSet(pub Bytes);

impl Encoder for RawSet {
    fn write_size(&self, _: Version) -> usize {
        4 + self.0.len()
    }

    fn encode<T: BufMut>(&self, dest: &mut T, _: Version) -> io::Result<()> {
        dest.put_i32(self.0.len() as i32);
        dest.put_slice(&self.0);
        Ok(())
    }
}

impl Decoder for RawSet {
    fn decode<T: Buf>(&mut self, src: &mut T, version: Version) -> io::Result<()> {
        let len = i32::decode_from(src, version)?;
        let len = usize::try_from(len)
            .ok()
            .filter(|len| *len <= src.remaining());
        self.0 = src.copy_to_bytes(len.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

/// The length of a record set whose bytes follow the response they are the end of.
#[derive(Debug, Default)]
pub(crate) struct SetFollows {
    /// Bytes that follow.
    pub bytes: usize,
}

impl Encoder for SetFollows {
    fn write_size(&self, _: Version) -> usize {
        4
    }

    fn encode<T: BufMut>(&self, dest: &mut T, _: Version) -> io::Result<()> {
        dest.put_i32(self.bytes as i32);
        Ok(())
    }
}

impl Decoder for SetFollows {
    fn decode<T: Buf>(&mut self, _: &mut T, _: Version) -> io::Result<()> {
        Err(io::Error::other("only ever sent"))
    }
}

/// An admin object with its kind's name in front, as all requests and answers about objects carry it.
#[derive(Debug, Default)]
pub(crate) struct Typed<T> {
    /// The kind, for example `Topic`.
    pub label: String,
    /// The object.
    pub object: T,
}

impl<T: Encoder> Encoder for Typed<T> {
    fn write_size(&self, version: Version) -> usize {
        self.label.write_size(version) + 4 + self.object.write_size(version)
    }

    fn encode<B: BufMut>(&self, dest: &mut B, version: Version) -> io::Result<()> {
        let mut object = Vec::new();
        self.object.encode(&mut object, version)?;
        self.label.encode(dest, version)?;
        dest.put_u32(object.len() as u32);
        dest.put_slice(&object);
        Ok(())
    }
}

/// An admin object's kind and its bytes.
#[derive(Debug, Default)]
pub(crate) struct TypedBytes {
    /// The kind, for example `Topic`.
    pub label: String,
    bytes: Bytes,
}

impl TypedBytes {
    /// Decodes the object.
    pub(crate) fn decode<T: Decoder>(&self, version: Version) -> io::Result<T> {
        T::decode_from(&mut self.bytes.clone(), version)
    }

    /// Reads kind and bytes.
    pub(crate) fn read(src: &mut Bytes, version: Version) -> io::Result<Self> {
        let label = String::decode_from(src, version)?;
        let len = u32::decode_from(src, version)? as usize;
        if len > src.remaining() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(Self {
            label,
            bytes: src.split_to(len),
        })
    }
}

/// Bytes that are encoded already.
#[derive(Debug, Default)]
pub(crate) struct Encoded(pub Vec<u8>);

impl Encoder for Encoded {
    fn write_size(&self, _: Version) -> usize {
        self.0.len()
    }

    fn encode<T: BufMut>(&self, dest: &mut T, _: Version) -> io::Result<()> {
        dest.put_slice(&self.0);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn frames(mut bytes: &[u8], bytes_max: usize) -> Vec<io::Result<Option<Bytes>>> {
        let mut buffer = BytesMut::new();
        let mut all = Vec::new();
        loop {
            let frame = read_frame(&mut bytes, &mut buffer, bytes_max).await;
            let more = matches!(frame, Ok(Some(_)));
            all.push(frame);
            if !more {
                return all;
            }
        }
    }

    #[tokio::test]
    async fn splits_a_stream_into_frames() {
        let frames = frames(b"\0\0\0\x02ab\0\0\0\0\0\0\0\x01c", 10).await;
        let frames: Vec<_> = frames.into_iter().map(|frame| frame.unwrap()).collect();
        assert_eq!(
            frames,
            [Some("ab".into()), Some("".into()), Some("c".into()), None]
        );
    }

    #[tokio::test]
    async fn refuses_hostile_lengths_and_cut_frames() {
        assert!(frames(b"\x7f\xff\xff\xffab", 1000).await[0].is_err());
        assert!(frames(b"\xff\xff\xff\xffab", 1000).await[0].is_err());
        assert!(frames(b"\0\0\0\x09ab", 1000).await[0].is_err());
    }

    #[tokio::test]
    async fn a_length_reserves_no_memory_for_bytes_that_never_come() {
        let announced = 60 << 20;
        let sent = [&i32::to_be_bytes(announced)[..], b"a few"].concat();
        let mut buffer = BytesMut::new();
        let frame = read_frame(&mut &sent[..], &mut buffer, 64 << 20).await;
        assert_eq!(frame.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        let reserved = buffer.capacity();
        // Room for one more step may double what a step reserved.
        assert!(reserved <= 3 * READ_STEP_BYTES, "{reserved} bytes");
    }
}
