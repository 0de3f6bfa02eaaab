//! What pods use of CPU and memory, and what they asked for.
//!
//! Facts: `metrics.k8s.io/v1beta1` tells usage per container as quantities (`412m`, `123456789n`, `1893Mi`), averaged over a
//! window of some 15 s. What a pod may use is the sum of its containers' limits, and is bounded only where every
//! container has one; sidecars among the init containers count as containers.

use super::key::{ClusterId, PodKey, Text};

/// An amount of CPU and memory; `None`: not said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amounts {
    /// CPU in thousandths of a core.
    pub cpu: Option<u64>,
    /// Memory in bytes.
    pub memory: Option<u64>,
}

/// What a pod asked for, and may use at most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Resources {
    /// `resources.requests`, summed.
    pub requests: Amounts,
    /// `resources.limits`, summed; `None` unless all containers have one.
    pub limits: Amounts,
}

/// What a pod uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// CPU in thousandths of a core.
    pub cpu: u64,
    /// Memory in bytes.
    pub memory: u64,
}

/// What was read of a namespace of a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The cluster.
    pub cluster: ClusterId,
    /// The namespace.
    pub namespace: Text,
    /// What its pods use; or why that is not known.
    pub pods: Result<Vec<(PodKey, Usage)>, NoReading>,
}

/// Why there is no reading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoReading {
    /// The cluster serves no `metrics.k8s.io`.
    NotServed,
    /// Not permitted: the refusal.
    Forbidden(Text),
    /// It fails for now: why.
    Failing(Text),
}

/// Reads a quantity as Kubernetes writes it, into thousandths: `412m` is 412, `1.5` is 1500, `1Ki` is 1024000. `None` where
/// it is none, or negative.
pub fn thousandths(quantity: &str) -> Option<u64> {
    let end = quantity.find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '+' | '-'))).unwrap_or(quantity.len());
    let (number, suffix) = quantity.split_at_checked(end)?;
    let scale = match suffix {
        "n" => 1e-9,
        "u" => 1e-6,
        "m" => 1e-3,
        "" => 1.0,
        "k" => 1e3,
        "M" => 1e6,
        "G" => 1e9,
        "T" => 1e12,
        "P" => 1e15,
        "E" => 1e18,
        "Ki" => 1024.0,
        "Mi" => 1024.0_f64.powi(2),
        "Gi" => 1024.0_f64.powi(3),
        "Ti" => 1024.0_f64.powi(4),
        "Pi" => 1024.0_f64.powi(5),
        "Ei" => 1024.0_f64.powi(6),
        // `1e3` and `1E3`.
        exponent => 10.0_f64.powi(exponent.strip_prefix(['e', 'E'])?.parse().ok()?),
    };
    let value = number.parse::<f64>().ok()? * scale * 1000.0;
    // Beyond this no thousandth can be told; nothing real is.
    (value >= 0.0 && value < u64::MAX as f64).then(|| value.round() as u64)
}

/// CPU as an operator reads it: `412m`, `1.5`, `12`.
pub fn cpu(thousandths: u64) -> String {
    match thousandths {
        0..1000 => format!("{thousandths}m"),
        _ if thousandths.is_multiple_of(1000) => format!("{}", thousandths / 1000),
        1000..10_000 => format!("{thousandths}m"),
        _ => format!("{:.1}", thousandths as f64 / 1000.0),
    }
}

/// Memory as an operator reads it: `96Mi`, `1.5Gi`, `12Gi`.
pub fn memory(bytes: u64) -> String {
    const KI: u64 = 1 << 10;
    const MI: u64 = 1 << 20;
    const GI: u64 = 1 << 30;
    match bytes {
        0 => "0".to_owned(),
        _ if bytes < MI => format!("{}Ki", bytes.div_ceil(KI)),
        _ if bytes >= GI && bytes.is_multiple_of(GI) => format!("{}Gi", bytes / GI),
        _ if bytes >= 10 * GI => format!("{:.1}Gi", bytes as f64 / GI as f64),
        _ => format!("{}Mi", bytes / MI),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_read_as_kubernetes_writes_them() {
        for (text, wanted) in [
            ("412m", Some(412)),
            ("123456789n", Some(123)),
            ("1500u", Some(2)),
            ("2", Some(2_000)),
            ("0.5", Some(500)),
            ("1e3", Some(1_000_000)),
            ("1E3", Some(1_000_000)),
            ("64M", Some(64_000_000_000)),
            ("1Ki", Some(1_024_000)),
            ("1.5Gi", Some(1_610_612_736_000)),
            ("0", Some(0)),
            ("", None),
            ("-1", None),
            ("abc", None),
            ("1Qi", None),
            ("é", None),
            ("9999999Ei", None),
        ] {
            assert_eq!(thousandths(text), wanted, "{text}");
        }
    }

    #[test]
    fn amounts_are_told_shortly() {
        for (amount, wanted) in [(0, "0m"), (412, "412m"), (1_000, "1"), (1_500, "1500m"), (12_340, "12.3")] {
            assert_eq!(cpu(amount), wanted);
        }
        let mi = 1 << 20;
        for (amount, wanted) in [
            (0, "0"),
            (5_000, "5Ki"),
            (96 * mi, "96Mi"),
            (1_893 * mi, "1893Mi"),
            (2_048 * mi, "2Gi"),
            (12_800 * mi, "12.5Gi"),
        ] {
            assert_eq!(memory(amount), wanted);
        }
    }
}
