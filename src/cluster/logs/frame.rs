//! Lines of a log's bytes, framed as they come and bounded.

use memchr::memchr;

/// Frames chunks into lines of at most `limit` bytes. A longer line is told at once, cut, and the rest of it is
/// skipped, exactly to its end.
#[derive(Debug)]
pub(super) struct Framer {
    /// The line that has not ended yet; never longer than the limit.
    rest: Vec<u8>,
    /// A cut line's rest is being skipped.
    skipping: bool,
    limit: usize,
}

impl Framer {
    pub(super) fn new(limit: usize) -> Self {
        Self { rest: Vec::new(), skipping: false, limit }
    }

    /// Hands over each line that ends in the chunk, and whether it was cut. What does not end is kept.
    pub(super) fn push(&mut self, chunk: &[u8], mut line: impl FnMut(&[u8], bool)) {
        let mut chunk = chunk;
        while let Some(at) = memchr(b'\n', chunk) {
            let head = &chunk[..at];
            chunk = &chunk[at + 1..];
            if std::mem::take(&mut self.skipping) {
                continue;
            }
            if self.rest.is_empty() {
                self.hand_over(head, &mut line);
            } else {
                self.keep(head);
                let whole = std::mem::take(&mut self.rest);
                self.hand_over(&whole, &mut line);
                self.rest = whole;
                self.rest.clear();
                self.rest.shrink_to(self.limit.min(4096));
            }
        }
        if self.skipping {
            return;
        }
        self.keep(chunk);
        if self.rest.len() > self.limit {
            line(&self.rest[..self.limit], true);
            self.rest = Vec::new();
            self.skipping = true;
        }
    }

    /// The line that had not ended when the stream did, if there is one.
    pub(super) fn finish(&mut self) -> Option<Vec<u8>> {
        self.skipping = false;
        let rest = std::mem::take(&mut self.rest);
        (!rest.is_empty()).then_some(rest)
    }

    /// Keeps no more than shows that the limit is passed.
    fn keep(&mut self, bytes: &[u8]) {
        let room = (self.limit + 1).saturating_sub(self.rest.len());
        self.rest.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    fn hand_over(&self, bytes: &[u8], line: &mut impl FnMut(&[u8], bool)) {
        if bytes.len() > self.limit {
            line(&bytes[..self.limit], true);
        } else {
            line(bytes.strip_suffix(b"\r").unwrap_or(bytes), false);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn framed<'a>(chunks: impl IntoIterator<Item = &'a [u8]>, limit: usize) -> Vec<(Vec<u8>, bool)> {
        let mut framer = Framer::new(limit);
        let mut lines = Vec::new();
        for chunk in chunks {
            framer.push(chunk, |line, cut| lines.push((line.to_vec(), cut)));
            assert!(framer.rest.len() <= limit, "bounded");
        }
        lines.extend(framer.finish().map(|rest| (rest, false)));
        lines
    }

    #[test]
    fn a_line_of_twenty_megabytes_is_cut_once_and_skipped_to_its_end() {
        let chunk = vec![b'x'; 1 << 20];
        let mut chunks: Vec<&[u8]> = vec![&chunk; 20];
        chunks.push(b"end\nnext\n");
        let lines = framed(chunks, 64 * 1024);
        assert_eq!(lines.len(), 2);
        assert_eq!((lines[0].0.len(), lines[0].1), (64 * 1024, true));
        assert_eq!(lines[1], (b"next".to_vec(), false));
    }

    #[test]
    fn ends_of_lines_and_of_the_stream() {
        let lines = framed([&b"a\r\n\n\0\xff"[..], b"b\nc"], 8);
        assert_eq!(
            lines,
            [(b"a".to_vec(), false), (vec![], false), (b"\0\xffb".to_vec(), false), (b"c".to_vec(), false)]
        );
    }

    proptest! {
        /// However the bytes are cut into chunks, the lines are those of the whole.
        #[test]
        fn chunks_make_no_difference(
            bytes in proptest::collection::vec(prop_oneof![3 => Just(b'\n'), 1 => Just(b'\r'), 12 => any::<u8>()], 0..200),
            cuts in proptest::collection::vec(0usize..200, 0..8),
            limit in 1usize..20,
        ) {
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let parts = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]);
            let mut expected: Vec<(Vec<u8>, bool)> = Vec::new();
            let mut pieces: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
            let last = pieces.pop().unwrap_or_default();
            for piece in pieces {
                let cut = piece.len() > limit;
                let text = if cut { &piece[..limit] } else { piece.strip_suffix(b"\r").unwrap_or(piece) };
                expected.push((text.to_vec(), cut));
            }
            if last.len() > limit {
                expected.push((last[..limit].to_vec(), true));
            } else if !last.is_empty() {
                expected.push((last.to_vec(), false));
            }
            prop_assert_eq!(framed(parts, limit), expected);
        }
    }
}
