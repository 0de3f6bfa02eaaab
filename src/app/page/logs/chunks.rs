//! The texts of many lines, in large pieces: no line is an allocation of its own.

use std::collections::VecDeque;

/// Bytes of a piece.
const PIECE: usize = 64 << 10;

/// Where a text is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    piece: u32,
    from: u32,
    length: u32,
}

#[derive(Debug, Default)]
struct Piece {
    text: String,
    /// Texts in it that are still wanted.
    live: u32,
}

/// The texts.
#[derive(Debug, Default)]
pub(super) struct Chunks {
    pieces: VecDeque<Piece>,
    /// The number of the first piece.
    first: u32,
    bytes: usize,
}

impl Chunks {
    /// Keeps a text.
    pub(super) fn keep(&mut self, text: &str) -> Span {
        let has_room = |piece: &Piece| piece.text.capacity() - piece.text.len() >= text.len();
        if !self.pieces.back().is_some_and(has_room) {
            let piece = Piece { text: String::with_capacity(text.len().max(PIECE)), live: 0 };
            self.bytes += piece.text.capacity();
            self.pieces.push_back(piece);
        }
        let number = self.first.wrapping_add((self.pieces.len() - 1) as u32);
        let Some(piece) = self.pieces.back_mut() else { return Span { piece: number, from: 0, length: 0 } };
        let from = piece.text.len() as u32;
        piece.text.push_str(text);
        piece.live += 1;
        Span { piece: number, from, length: text.len() as u32 }
    }

    /// A text that is kept.
    pub(super) fn get(&self, span: Span) -> &str {
        let piece = self.pieces.get(span.piece.wrapping_sub(self.first) as usize);
        let range = span.from as usize..(span.from as usize).saturating_add(span.length as usize);
        piece.and_then(|piece| piece.text.get(range)).unwrap_or_default()
    }

    /// A text that is not wanted any more; a piece without any is let go.
    pub(super) fn forget(&mut self, span: Span) {
        let at = span.piece.wrapping_sub(self.first) as usize;
        let is_last = at + 1 == self.pieces.len();
        let Some(piece) = self.pieces.get_mut(at) else { return };
        piece.live = piece.live.saturating_sub(1);
        if piece.live == 0 && !is_last {
            self.bytes -= piece.text.capacity();
            piece.text = String::new();
        }
        while self.pieces.len() > 1 && self.pieces.front().is_some_and(|piece| piece.live == 0) {
            if let Some(piece) = self.pieces.pop_front() {
                self.bytes -= piece.text.capacity();
            }
            self.first = self.first.wrapping_add(1);
        }
    }

    /// Bytes taken.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_come_back_and_pieces_go() {
        let mut chunks = Chunks::default();
        let long = "x".repeat(PIECE * 2);
        let spans: Vec<(Span, String)> = (0..20_000)
            .map(|number| {
                let text = if number == 7000 { long.clone() } else { format!("line {number} é") };
                (chunks.keep(&text), text)
            })
            .collect();
        assert!(spans.iter().all(|(span, text)| chunks.get(*span) == text));
        let most = chunks.bytes();
        for (span, _) in spans.iter().filter(|(_, text)| !text.ends_with("00 é")).take(19_000) {
            chunks.forget(*span);
        }
        for (span, text) in spans.iter().skip(19_500) {
            assert_eq!(chunks.get(*span), text);
        }
        for (span, _) in spans.iter().filter(|(_, text)| text.ends_with("00 é")) {
            chunks.forget(*span);
        }
        assert!(chunks.bytes() < most / 4, "{} of {most}", chunks.bytes());
    }
}
