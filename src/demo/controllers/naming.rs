//! Names and hashes as Kubernetes makes them, but the same in every run: they derive from what they name.

use serde_json::Value;

/// The letters that Kubernetes uses in generated names: no vowels, nothing to be mistaken for another.
const SAFE: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";

/// A 64-bit hash of a text (FNV-1a with a final mix, so that neighbours differ in every bit).
pub(super) fn hash(text: &str) -> u64 {
    let mut state: u64 = 0xcbf2_9ce4_8422_2325;
    for byte in text.bytes() {
        state = (state ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    state ^= state >> 30;
    state = state.wrapping_mul(0xbf58_476d_1ce4_e5b9);
    state ^= state >> 27;
    state = state.wrapping_mul(0x94d0_49bb_1331_11eb);
    state ^ (state >> 31)
}

/// `length` letters for a generated name.
pub(super) fn suffix(seed: &str, length: usize) -> String {
    let mut state = hash(seed);
    (0..length)
        .map(|at| {
            let letter = SAFE[(state % SAFE.len() as u64) as usize];
            state = hash(&format!("{seed}/{at}/{state}"));
            char::from(letter)
        })
        .collect()
}

/// The `pod-template-hash` of a pod template.
pub(super) fn template_hash(template: &Value) -> String {
    suffix(&canonical(template), 10)
}

/// A KubeVela hash: 16 hexadecimal digits.
pub(super) fn revision_hash(value: &Value) -> String {
    format!("{:016x}", hash(&canonical(value)))
}

/// `digits` hexadecimal digits that stand for a checksum of `text`.
pub(super) fn digest(text: &str, digits: usize) -> String {
    let rounds = 0..digits.div_ceil(16);
    let parts: Vec<String> = rounds.map(|round| format!("{:016x}", hash(&format!("{round}:{text}")))).collect();
    let mut out = parts.concat();
    out.truncate(digits);
    out
}

/// A number in `0.0..1.0` that belongs to `seed`.
pub(super) fn fraction(seed: &str) -> f64 {
    (hash(seed) >> 11) as f64 / (1_u64 << 53) as f64
}

/// JSON with sorted keys, so that equal values have equal texts.
pub(super) fn canonical(value: &Value) -> String {
    let mut sorted = value.clone();
    sorted.sort_all_objects();
    sorted.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn hashes_follow_the_content_not_the_order_of_keys() {
        let one = json!({"a": 1, "b": {"c": 2, "d": 3}});
        let other = json!({"b": {"d": 3, "c": 2}, "a": 1});
        assert_eq!(template_hash(&one), template_hash(&other));
        assert_ne!(template_hash(&one), template_hash(&json!({"a": 1})));
        assert_eq!(revision_hash(&one).len(), 16);
        assert_eq!(digest("x", 64).len(), 64);
    }

    #[test]
    fn names_hold_safe_letters_only() {
        let name = suffix("hello", 40);
        assert!(name.bytes().all(|letter| SAFE.contains(&letter)));
        assert_ne!(suffix("hello-1", 5), suffix("hello-2", 5));
        assert!((0.0..1.0).contains(&fraction("hello")));
    }
}
