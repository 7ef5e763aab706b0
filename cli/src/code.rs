//! Stable names for scripts, from the names of the library's variants.

use serde::Serialize;
use serde_json::Value;

/// `NotAMember` as `not_a_member`: the name of an enum's variant, without what it holds.
pub(crate) fn code_of(value: &impl Serialize) -> String {
    let name = match serde_json::to_value(value) {
        Ok(Value::String(name)) => name,
        Ok(Value::Object(fields)) => {
            fields.into_iter().next().map_or_else(String::new, |(name, _)| name)
        }
        _ => String::new(),
    };
    snake_case(&name)
}

fn snake_case(name: &str) -> String {
    let mut code = String::with_capacity(name.len() + 4);
    for character in name.chars() {
        if character.is_ascii_uppercase() && !code.is_empty() {
            code.push('_');
        }
        code.push(character.to_ascii_lowercase());
    }
    code
}

#[cfg(test)]
mod tests {
    use hushwire::command::{ChatState, CommandError, FailureReason, MemberRole};

    use super::*;

    #[test]
    fn variants_become_codes() {
        assert_eq!(code_of(&FailureReason::NotAMember), "not_a_member");
        assert_eq!(code_of(&CommandError::PhraseWord(3)), "phrase_word");
        assert_eq!(code_of(&ChatState::Opening), "opening");
        assert_eq!(code_of(&MemberRole::Owner), "owner");
    }
}
