//! Lines of a stream, framed by bytes and bounded: watches and logs alike.

use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt};
use http::Response;
use http_body_util::BodyExt;
use kube::client::Body;

use super::error::Error;

/// A line without its end.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// Its bytes; of a line longer than the limit, the beginning.
    pub(crate) bytes: Bytes,
    /// Whether the rest was left out.
    pub(crate) cut: bool,
}

/// Splits a stream of chunks into lines of at most `limit` bytes.
pub(crate) struct Lines<S> {
    stream: S,
    buffer: BytesMut,
    /// Bytes of `buffer` known to hold no line end.
    scanned: usize,
    limit: usize,
    /// The rest of a cut line is still to be skipped.
    skipping: bool,
    ended: bool,
}

/// The lines of an answer.
pub(crate) fn of(
    response: Response<Body>,
    limit: usize,
) -> Lines<impl Stream<Item = Result<Bytes, Error>> + Unpin + Send> {
    let stream = response
        .into_body()
        .into_data_stream()
        .map(|chunk| chunk.map_err(|error| Error { sent: true, ..Error::from_kube(&error) }));
    Lines::new(stream, limit)
}

impl<S: Stream<Item = Result<Bytes, Error>> + Unpin> Lines<S> {
    pub(crate) fn new(stream: S, limit: usize) -> Self {
        Self { stream, buffer: BytesMut::new(), scanned: 0, limit, skipping: false, ended: false }
    }

    /// The next line; none at the end. What stands behind the last line end counts as a line if the stream ends well,
    /// and is left out if it breaks. Safe to cancel.
    pub(crate) async fn next(&mut self) -> Result<Option<Line>, Error> {
        loop {
            if let Some(line) = self.take() {
                return Ok(Some(line));
            }
            if self.ended {
                let rest = self.buffer.split().freeze();
                self.scanned = 0;
                let skipping = std::mem::take(&mut self.skipping);
                return Ok((!rest.is_empty() && !skipping).then_some(Line { bytes: rest, cut: false }));
            }
            match self.stream.next().await {
                Some(chunk) => self.buffer.extend_from_slice(&chunk?),
                None => self.ended = true,
            }
        }
    }

    fn take(&mut self) -> Option<Line> {
        loop {
            let end = self.buffer[self.scanned..].iter().position(|byte| *byte == b'\n').map(|at| at + self.scanned);
            self.scanned = 0;
            match end {
                Some(end) if self.skipping => {
                    drop(self.buffer.split_to(end + 1));
                    self.skipping = false;
                }
                Some(end) => {
                    let mut bytes = self.buffer.split_to(end + 1);
                    bytes.truncate(end);
                    if bytes.last() == Some(&b'\r') {
                        bytes.truncate(end - 1);
                    }
                    let cut = bytes.len() > self.limit;
                    bytes.truncate(self.limit);
                    return Some(Line { bytes: bytes.freeze(), cut });
                }
                None if self.skipping => {
                    self.buffer.clear();
                    return None;
                }
                None if self.buffer.len() > self.limit => {
                    let bytes = self.buffer.split_to(self.limit).freeze();
                    self.buffer.clear();
                    self.skipping = true;
                    return Some(Line { bytes, cut: true });
                }
                None => {
                    self.scanned = self.buffer.len();
                    return None;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::{executor::block_on, stream};

    use super::*;
    use crate::cluster::error::Class;

    fn lines(chunks: &[&str], limit: usize) -> Vec<(String, bool)> {
        let chunks: Vec<_> = chunks.iter().map(|chunk| Ok(Bytes::copy_from_slice(chunk.as_bytes()))).collect();
        let mut lines = Lines::new(stream::iter(chunks), limit);
        let mut read = Vec::new();
        while let Some(line) = block_on(lines.next()).unwrap() {
            read.push((String::from_utf8(line.bytes.to_vec()).unwrap(), line.cut));
        }
        read
    }

    #[test]
    fn lines_are_put_together_from_chunks() {
        assert_eq!(
            lines(&["a", "b\nc\r\n\n", "d"], 10),
            [("ab".into(), false), ("c".into(), false), (String::new(), false), ("d".into(), false)]
        );
    }

    #[test]
    fn a_long_line_is_cut_and_its_rest_is_skipped() {
        assert_eq!(lines(&["0123456", "789", "0123\nnext\n"], 8), [("01234567".into(), true), ("next".into(), false)]);
        assert_eq!(lines(&["0123456789\nnext\n"], 8), [("01234567".into(), true), ("next".into(), false)]);
        assert_eq!(lines(&["0123456789", "0123"], 8), [("01234567".into(), true)]);
    }

    #[test]
    fn a_break_leaves_out_what_was_not_whole() {
        let chunks = vec![Ok(Bytes::from_static(b"a\nb")), Err(Error::new(Class::Unreachable, "cut"))];
        let mut lines = Lines::new(stream::iter(chunks), 8);
        assert_eq!(block_on(lines.next()).unwrap().unwrap().bytes, "a");
        assert_eq!(block_on(lines.next()).unwrap_err().message, "cut");
    }
}
