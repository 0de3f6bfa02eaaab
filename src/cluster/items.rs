//! A list taken apart while it comes: each object as soon as its last byte is there, and what surrounds them.
//!
//! A page of objects is megabytes. To hold it whole costs that much memory at once, and allocators keep what they once
//! had; an object at a time is a few kilobytes.

/// Cuts the elements of the field `items` out of a JSON object that comes in pieces.
#[derive(Debug, Default)]
pub(super) struct Items {
    /// All but the elements: the same object with an empty list.
    envelope: Vec<u8>,
    /// The beginning of an element whose end has not come.
    begun: Vec<u8>,
    depth: u32,
    inside: bool,
    in_string: bool,
    escaped: bool,
}

impl Items {
    /// Takes the next piece, and hands over every element that is complete with it.
    pub(super) fn take(&mut self, piece: &[u8], each: &mut impl FnMut(&[u8])) {
        let mut from = 0;
        for (at, byte) in piece.iter().enumerate() {
            if self.in_string {
                if self.escaped {
                    self.escaped = false;
                } else if *byte == b'\\' {
                    self.escaped = true;
                } else if *byte == b'"' {
                    self.in_string = false;
                }
                continue;
            }
            match byte {
                b'"' => self.in_string = true,
                b'{' => self.depth += 1,
                b'[' => {
                    self.depth += 1;
                    if self.depth == 2 && !self.inside {
                        self.envelope.extend_from_slice(slice(piece, from, at));
                        from = at;
                        if ends_with_key(&self.envelope, b"\"items\"") {
                            self.envelope.push(b'[');
                            self.inside = true;
                            from = at + 1;
                        }
                    }
                }
                b'}' | b']' => {
                    if self.inside && self.depth == 2 {
                        self.end(slice(piece, from, at), each);
                        self.inside = false;
                        from = at;
                    }
                    self.depth = self.depth.saturating_sub(1);
                }
                b',' if self.inside && self.depth == 2 => {
                    self.end(slice(piece, from, at), each);
                    from = at + 1;
                }
                _ => {}
            }
        }
        let rest = slice(piece, from, piece.len());
        if self.inside { self.begun.extend_from_slice(rest) } else { self.envelope.extend_from_slice(rest) }
    }

    /// What surrounded the elements; not valid JSON where the list broke off.
    pub(super) fn envelope(self) -> Vec<u8> {
        self.envelope
    }

    fn end(&mut self, last: &[u8], each: &mut impl FnMut(&[u8])) {
        if self.begun.is_empty() {
            hand_over(last, each);
        } else {
            self.begun.extend_from_slice(last);
            hand_over(&self.begun, each);
            self.begun.clear();
        }
    }
}

fn hand_over(element: &[u8], each: &mut impl FnMut(&[u8])) {
    let element = element.trim_ascii();
    if !element.is_empty() {
        each(element);
    }
}

fn slice(piece: &[u8], from: usize, to: usize) -> &[u8] {
    piece.get(from..to).unwrap_or_default()
}

/// Whether the text ends with this key and its colon.
fn ends_with_key(text: &[u8], key: &[u8]) -> bool {
    let Some(text) = text.trim_ascii_end().strip_suffix(b":") else { return false };
    text.trim_ascii_end().ends_with(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The list in pieces of every size: elements and envelope must not depend on where it was cut.
    fn taken(list: &str) -> (Vec<String>, String) {
        let once = |size: usize| {
            let (mut items, mut elements) = (Items::default(), Vec::new());
            for piece in list.as_bytes().chunks(size) {
                items.take(piece, &mut |element| elements.push(String::from_utf8(element.to_vec()).unwrap()));
            }
            (elements, String::from_utf8(items.envelope()).unwrap())
        };
        let whole = once(list.len().max(1));
        for size in 1..list.len().min(20) {
            assert_eq!(once(size), whole, "in pieces of {size}");
        }
        whole
    }

    #[test]
    fn elements_are_handed_over_and_the_rest_is_kept() {
        let (elements, envelope) = taken(
            r#"{"kind":"PodList","metadata":{"resourceVersion":"7","items":["x"]},"items":[{"a":[1,{"items":[2]}],"b":"],}\"["}, {"c":{}}],"more":[3]}"#,
        );
        assert_eq!(elements, [r#"{"a":[1,{"items":[2]}],"b":"],}\"["}"#, r#"{"c":{}}"#]);
        assert_eq!(
            envelope,
            r#"{"kind":"PodList","metadata":{"resourceVersion":"7","items":["x"]},"items":[],"more":[3]}"#
        );
    }

    #[test]
    fn pretty_lists_empty_lists_and_none() {
        let (elements, envelope) = taken("{\n  \"items\" : [\n    { \"a\": 1 },\n    null\n  ]\n}\n");
        assert_eq!(elements, ["{ \"a\": 1 }", "null"]);
        assert_eq!(envelope, "{\n  \"items\" : []\n}\n");
        assert_eq!(taken(r#"{"items":[]}"#), (Vec::new(), r#"{"items":[]}"#.to_owned()));
        assert_eq!(taken(r#"{"items":null}"#), (Vec::new(), r#"{"items":null}"#.to_owned()));
        assert_eq!(taken(r#"{"code":500}"#), (Vec::new(), r#"{"code":500}"#.to_owned()));
    }

    #[test]
    fn what_breaks_off_leaves_no_valid_envelope() {
        let whole = r#"{"items":[{"a":1},{"b":2}],"metadata":{}}"#;
        for end in 0..whole.len() {
            let (_, envelope) = taken(&whole[..end]);
            assert!(serde_json::from_str::<serde_json::Value>(&envelope).is_err(), "{envelope}");
        }
    }
}
