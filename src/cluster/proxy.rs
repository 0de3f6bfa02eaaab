//! Which proxy leads to an API server, decided as kubectl does.
//!
//! kube 5.0 holds `NO_PROXY` against the proxy's own address instead of the server's, and takes only proxies with a
//! scheme; so it is decided here.

use std::net::IpAddr;

use http::Uri;

/// The proxy for a server: the kubeconfig's `proxy-url` in any case; else `HTTPS_PROXY` (for `https`) or `HTTP_PROXY`,
/// unless `NO_PROXY` names the server or it is this machine. `env` reads a variable.
pub(crate) fn choose(proxy_url: Option<&str>, server: &Uri, env: impl Fn(&str) -> Option<String>) -> Option<Uri> {
    if let Some(proxy) = proxy_url.filter(|proxy| !proxy.is_empty()) {
        return parse(proxy);
    }
    let variable =
        |name: &str| env(name).or_else(|| env(&name.to_lowercase())).filter(|value| !value.trim().is_empty());
    let https = server.scheme_str() == Some("https");
    let proxy = variable(if https { "HTTPS_PROXY" } else { "HTTP_PROXY" })?;
    let host = server.host().unwrap_or_default().trim_matches(['[', ']']);
    let port = server.port_u16().unwrap_or(if https { 443 } else { 80 });
    let no_proxy = variable("NO_PROXY").unwrap_or_default();
    if is_this_machine(host) || no_proxy.split(',').any(|entry| names(entry.trim(), host, port)) {
        return None;
    }
    parse(&proxy)
}

fn parse(proxy: &str) -> Option<Uri> {
    let proxy = proxy.trim();
    let proxy = if proxy.contains("://") { proxy.to_owned() } else { format!("http://{proxy}") };
    // `socks5h` differs only in who resolves names, and kube's way has the proxy do it.
    proxy.replacen("socks5h://", "socks5://", 1).parse().ok()
}

fn is_this_machine(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Whether an entry of `NO_PROXY` names a server: `*`, an address, a range of addresses, or a domain and what is below
/// it, with or without a port.
fn names(entry: &str, host: &str, port: u16) -> bool {
    if entry == "*" {
        return true;
    }
    if let Ok(address) = host.parse::<IpAddr>() {
        let (alone, of_port) = split_port(entry);
        return match entry.split_once('/') {
            Some((network, bits)) => is_within(address, network, bits),
            None if entry.trim_matches(['[', ']']).parse() == Ok(address) => true,
            None => alone.parse() == Ok(address) && of_port.is_none_or(|of_port| of_port == port),
        };
    }
    let (domain, of_port) = split_port(entry);
    if domain.is_empty() || of_port.is_some_and(|of_port| of_port != port) {
        return false;
    }
    let domain = domain.strip_prefix('*').unwrap_or(domain).to_lowercase();
    let host = host.to_lowercase();
    match domain.strip_prefix('.') {
        // With a dot in front it means what is below it alone.
        Some(_) => host.ends_with(&domain),
        None => host == domain || host.strip_suffix(&domain).is_some_and(|rest| rest.ends_with('.')),
    }
}

fn split_port(entry: &str) -> (&str, Option<u16>) {
    match entry.rsplit_once(':') {
        Some((name, port)) if !name.contains(':') || name.ends_with(']') => match port.parse() {
            Ok(port) => (name.trim_matches(['[', ']']), Some(port)),
            Err(_) => (entry, None),
        },
        _ => (entry, None),
    }
}

fn is_within(address: IpAddr, network: &str, bits: &str) -> bool {
    let Ok(bits) = bits.parse::<u32>() else { return false };
    match (address, network.parse()) {
        (IpAddr::V4(address), Ok(IpAddr::V4(network))) if bits <= 32 => {
            let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
            address.to_bits() & mask == network.to_bits() & mask
        }
        (IpAddr::V6(address), Ok(IpAddr::V6(network))) if bits <= 128 => {
            let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
            address.to_bits() & mask == network.to_bits() & mask
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(proxy_url: Option<&str>, server: &str, no_proxy: &str) -> Option<String> {
        let env = |name: &str| match name {
            "HTTPS_PROXY" => Some("proxy.corp:3128".to_owned()),
            "no_proxy" => Some(no_proxy.to_owned()),
            _ => None,
        };
        choose(proxy_url, &server.parse().unwrap(), env).map(|uri| uri.to_string())
    }

    #[test]
    fn a_proxy_is_taken_unless_the_server_is_excepted() {
        let proxy = Some("http://proxy.corp:3128/".to_owned());
        assert_eq!(chosen(None, "https://hub.corp:6443", ""), proxy);
        assert_eq!(chosen(None, "http://hub.corp:6443", ""), None);
        for (server, entry) in [
            ("https://hub.corp:6443", "*"),
            ("https://hub.corp:6443", "a, corp ,"),
            ("https://hub.corp:6443", ".corp"),
            ("https://hub.corp:6443", "*.corp"),
            ("https://hub.corp:6443", "HUB.corp:6443"),
            ("https://10.1.2.3:6443", "10.0.0.0/8"),
            ("https://10.1.2.3:6443", "10.1.2.3"),
            ("https://10.1.2.3:6443", "10.1.2.3:6443"),
            ("https://[fd00::1]:6443", "fd00::/8"),
            ("https://127.0.0.1:6443", ""),
            ("https://localhost:6443", ""),
        ] {
            assert_eq!(chosen(None, server, entry), None, "{server} {entry}");
        }
        for entry in ["orp", "corp:443", "10.0.0.0/8", "hub.corp.example", "!?%", "1/2/3"] {
            assert_eq!(chosen(None, "https://hub.corp:6443", entry), proxy, "{entry}");
        }
        assert_eq!(chosen(None, "https://10.1.2.3:6443", "11.0.0.0/8,10.1.2.3:80,0.0.0.0/99"), proxy);
    }

    #[test]
    fn the_kubeconfigs_own_proxy_comes_first() {
        assert_eq!(
            chosen(Some("socks5://127.0.0.1:1080"), "https://hub.corp", "*").unwrap(),
            "socks5://127.0.0.1:1080/"
        );
    }
}
