//! Proxies of the environment: `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`, in either
//! case, as curl reads them. This machine is never asked through a proxy.

use reqwest::{ClientBuilder, NoProxy, Proxy, Url};

const THIS_MACHINE: &str = "localhost,127.0.0.0/8,::1";

/// A variable that names no proxy. The message omits the value, which may have a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not the URL of an HTTP proxy")]
pub(crate) struct ProxyError(&'static str);

impl ProxyError {
    pub(crate) fn hint(self) -> &'static str {
        "set it to a URL such as `http://proxy.example:3128`, or unset it"
    }
}

/// The proxies of one scheme.
#[derive(Debug, PartialEq, Eq)]
struct SchemeProxy {
    is_tls: bool,
    proxy: Url,
}

/// Lets a client use the proxies of the environment.
pub(crate) fn with_proxies(builder: ClientBuilder) -> Result<ClientBuilder, ProxyError> {
    let lookup = |name: &str| std::env::var(name).ok();
    let mut builder = builder.no_proxy();
    let except = NoProxy::from_string(&exceptions(lookup));
    for SchemeProxy { is_tls, proxy } in proxies(lookup)? {
        let proxy = match is_tls {
            true => Proxy::https(proxy).map_err(|_| ProxyError("HTTPS_PROXY"))?,
            false => Proxy::http(proxy).map_err(|_| ProxyError("HTTP_PROXY"))?,
        };
        builder = builder.proxy(proxy.no_proxy(except.clone()));
    }
    Ok(builder)
}

/// The proxies that the variables name.
fn proxies(lookup: impl Fn(&str) -> Option<String>) -> Result<Vec<SchemeProxy>, ProxyError> {
    let mut found = vec![];
    for (is_tls, names) in [
        (
            true,
            ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"],
        ),
        (
            false,
            ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"],
        ),
    ] {
        let set = |name| lookup(name).filter(|value| !value.trim().is_empty());
        let first = names.into_iter().find_map(|name| Some((name, set(name)?)));
        if let Some((name, value)) = first {
            let proxy = parse(value.trim()).ok_or(ProxyError(name))?;
            found.push(SchemeProxy { is_tls, proxy });
        }
    }
    Ok(found)
}

/// Parses the URL of a proxy, or its host and port.
fn parse(text: &str) -> Option<Url> {
    let url = match text.contains("://") {
        true => Url::parse(text),
        false => Url::parse(&format!("http://{text}")),
    };
    url.ok()
        .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}

/// The hosts without a proxy: those of `NO_PROXY`, and this machine.
fn exceptions(lookup: impl Fn(&str) -> Option<String>) -> String {
    let listed = lookup("no_proxy").or_else(|| lookup("NO_PROXY"));
    match listed.filter(|list| !list.trim().is_empty()) {
        Some(list) => format!("{list},{THIS_MACHINE}"),
        None => THIS_MACHINE.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variables_of_a_scheme_name_its_proxy() {
        for (set, expected) in [
            (&[][..], &[][..]),
            (
                &[("HTTPS_PROXY", "http://p.example:3128")],
                &[(true, "http://p.example:3128/")],
            ),
            (
                &[
                    ("https_proxy", "http://low:1"),
                    ("HTTPS_PROXY", "http://up:1"),
                ],
                &[(true, "http://low:1/")],
            ),
            (
                &[("HTTP_PROXY", "p.example:3128")],
                &[(false, "http://p.example:3128/")],
            ),
            (
                &[("ALL_PROXY", "http://a:1"), ("HTTP_PROXY", "http://h:1")],
                &[(true, "http://a:1/"), (false, "http://h:1/")],
            ),
            (&[("HTTPS_PROXY", " "), ("HTTP_PROXY", "")], &[]),
        ] {
            let lookup = |name: &str| {
                let mut set = set.iter();
                set.find(|(known, _)| *known == name)
                    .map(|(_, value)| (*value).to_owned())
            };
            let found = proxies(lookup).expect("proxies");
            let found: Vec<(bool, &str)> = (found.iter())
                .map(|found| (found.is_tls, found.proxy.as_str()))
                .collect();
            assert_eq!(found, expected, "{set:?}");
        }
    }

    #[test]
    fn a_proxy_that_is_not_understood_is_refused_without_its_password() {
        for value in [
            "socks5://u:secret@p:1",
            "http://",
            "http://u:secret@p:x",
            "://",
        ] {
            let error = proxies(|name| (name == "HTTPS_PROXY").then(|| value.to_owned()));
            let error = error.expect_err(value);
            assert_eq!(error, ProxyError("HTTPS_PROXY"));
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }

    #[test]
    fn this_machine_needs_no_proxy_whatever_the_list_says() {
        let listed = exceptions(|name| (name == "NO_PROXY").then(|| "a.example, .b".to_owned()));
        assert_eq!(listed, format!("a.example, .b,{THIS_MACHINE}"));
        assert_eq!(exceptions(|_| None), THIS_MACHINE);
    }
}
