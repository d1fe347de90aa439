//! How git is given keys and passwords. Pure.

/// The command that git runs as ssh, with a key and a list of servers in these files.
pub(crate) fn ssh_command(key: Option<&str>, known_hosts: Option<&str>) -> String {
    let mut command = "ssh -o BatchMode=yes".to_owned();
    if let Some(key) = key {
        // No key of the slave's user or of its agent.
        command.push_str(&format!(" -o IdentitiesOnly=yes -i {}", quoted(key)));
    }
    if let Some(file) = known_hosts {
        let file = quoted(&format!("UserKnownHostsFile=\"{file}\""));
        command.push_str(&format!(" -o StrictHostKeyChecking=yes -o {file}"));
    }
    command
}

/// The settings that make git read passwords from a file, and from nowhere else.
pub(crate) fn helper_settings(file: &str, use_http_path: Option<bool>) -> Vec<String> {
    let mut settings = vec![
        // Git adds helpers; an empty one removes those of the slave's user.
        "credential.helper=".to_owned(),
        format!("credential.helper=store --file={}", quoted(file)),
    ];
    settings.extend(use_http_path.map(|own| format!("credential.useHttpPath={own}")));
    let words = settings.into_iter();
    words.flat_map(|word| ["-c".to_owned(), word]).collect()
}

/// A line of the file that `git credential-store` reads; nothing if `url` is not the address of a
/// server. The path counts only `with_path`.
pub(crate) fn credential(
    url: &str,
    username: &str,
    password: &str,
    with_path: bool,
) -> Option<String> {
    let (protocol, rest) = url.split_once("://")?;
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    let odd = |c: char| c.is_whitespace() || c.is_control();
    if host.is_empty() || url.contains(odd) {
        return None;
    }
    let (username, password) = (spelled(username), spelled(password));
    let path = if with_path && !path.is_empty() {
        format!("/{path}")
    } else {
        String::new()
    };
    Some(format!("{protocol}://{username}:{password}@{host}{path}\n"))
}

/// The content of a file of known hosts in which each server has `key`.
pub(crate) fn known_hosts_of(key: &str) -> String {
    format!("* {}\n", key.trim())
}

/// A text whose last line has its end, without which ssh does not take it for a key.
pub(crate) fn whole_lines(text: &str) -> String {
    let end = if text.ends_with('\n') { "" } else { "\n" };
    format!("{text}{end}")
}

/// The address with a port, if it is like `git@host:path`.
pub(crate) fn with_port(url: &str, port: u16) -> String {
    let is_other = url.contains("://") || url.contains(":\\") || url.starts_with(['/', '.']);
    match url.split_once(':') {
        Some((host, path)) if !is_other => {
            let path = path.trim_start_matches('/');
            format!("ssh://{host}:{port}/{path}")
        }
        Some(_) | None => url.to_owned(),
    }
}

/// A word of a command line of a shell.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\\', "/").replace('\'', r"'\''"))
}

/// As in an address: `%40` for `@`.
fn spelled(text: &str) -> String {
    let mut spelled = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            spelled.push(char::from(byte));
        } else {
            spelled.push_str(&format!("%{byte:02X}"));
        }
    }
    spelled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ssh_is_told_the_key_and_the_servers() {
        assert_eq!(ssh_command(None, None), "ssh -o BatchMode=yes");
        assert_eq!(
            ssh_command(Some("/it's b/key"), Some("/b c/known")),
            r#"ssh -o BatchMode=yes -o IdentitiesOnly=yes -i '/it'\''s b/key' -o StrictHostKeyChecking=yes -o 'UserKnownHostsFile="/b c/known"'"#
        );
        assert!(ssh_command(Some(r"C:\b\key"), None).ends_with(" -i 'C:/b/key'"));
    }

    #[test]
    fn a_credential_is_a_line() {
        for (url, with_path, line) in [
            ("https://h/p.git", false, Some("https://me:a%40%2Fb@h\n")),
            (
                "https://h/p.git",
                true,
                Some("https://me:a%40%2Fb@h/p.git\n"),
            ),
            (
                "http://you@h:8080",
                true,
                Some("http://me:a%40%2Fb@h:8080\n"),
            ),
            ("/srv/p", false, None),
            ("git@h:p", false, None),
            ("https://h/a\nb", false, None),
            ("https:///p", false, None),
        ] {
            assert_eq!(credential(url, "me", "a@/b", with_path).as_deref(), line);
        }
    }

    #[test]
    fn stp_110_a_port_is_for_addresses_without_one() {
        for (url, with) in [
            ("git@h:me/p.git", "ssh://git@h:2222/me/p.git"),
            ("h:/p", "ssh://h:2222/p"),
            ("ssh://h/p", "ssh://h/p"),
            ("https://h:1/p", "https://h:1/p"),
            ("/srv/a:b", "/srv/a:b"),
            (r"C:\p", r"C:\p"),
            ("p", "p"),
        ] {
            assert_eq!(with_port(url, 2222), with);
        }
    }

    #[test]
    fn keys_are_whole_lines() {
        assert_eq!(whole_lines("a\nb"), "a\nb\n");
        assert_eq!(whole_lines("a\n"), "a\n");
        assert_eq!(known_hosts_of("ssh-rsa AAAA\n"), "* ssh-rsa AAAA\n");
    }
}
