//! The pod's own list of networks beside the members of its groups.

use crate::catalog::Member;

pub(super) use crate::api::networks::{Selected, parse};

/// Whether an entry names the network of a member.
pub(super) fn is(entry: &Selected<'_>, member: &Member) -> bool {
    *entry.namespace == *member.namespace() && *entry.name == *member.nad_name()
}

/// The annotation's value: the pod's own entries first, then the members that it does not name already.
pub(super) fn render(own: &[Selected<'_>], members: &[&Member]) -> (String, usize) {
    let mut text = String::with_capacity(64 * (own.len() + members.len()) + 2);
    let mut count = 0;
    let mut push = |parts: [&str; 5]| {
        text.push(if count == 0 { '[' } else { ',' });
        for part in parts {
            text.push_str(part);
        }
        count += 1;
    };
    for entry in own {
        push([&entry.json, "", "", "", ""]);
    }
    for member in members.iter().filter(|member| !own.iter().any(|entry| is(entry, member))) {
        push(["{\"name\":\"", member.nad_name(), "\",\"namespace\":\"", member.namespace(), "\"}"]);
    }
    text.push(']');
    (text, count)
}

/// Whether the pod's list names exactly the members and nothing more, in whatever order and notation.
pub(super) fn same_set(own: &[Selected<'_>], members: &[&Member]) -> bool {
    own.len() == members.len()
        && own.iter().all(|entry| entry.plain)
        && members.iter().all(|member| own.iter().any(|entry| is(entry, member)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_keep_everything_the_user_wrote() {
        let own = parse(r#"[ {"name":"a", "mac":"02:00:00:00:00:01"} ]"#, "team").unwrap();
        assert_eq!(render(&own, &[]), (r#"[{"name":"a", "mac":"02:00:00:00:00:01"}]"#.to_owned(), 1));
        let own = parse("a@net5", "team").unwrap();
        assert_eq!(render(&own, &[]).0, r#"[{"name":"a","namespace":"team","interface":"net5"}]"#);
    }
}
