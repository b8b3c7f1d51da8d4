use std::error::Error;

/// The error with everything that led to it, on one line; of an API server's answer, what it says to people.
#[must_use]
pub fn describe(error: &(dyn Error + 'static)) -> String {
    let mut text = String::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let boxed = error.downcast_ref::<Box<kube::Error>>().map(Box::as_ref);
        let (part, source) = match error.downcast_ref().or(boxed) {
            // What follows would print the whole answer once more.
            Some(kube::Error::Api(status)) => (status.message.clone(), None),
            _ => (error.to_string(), error.source()),
        };
        // Wrappers often print what they wrap.
        if !part.is_empty() && !text.contains(&part) {
            if !text.is_empty() {
                text.push_str(": ");
            }
            text.push_str(&part);
        }
        next = source;
    }
    text
}

#[cfg(test)]
mod tests {
    use kube::core::Status;

    use super::*;
    use crate::controllers::ControllerError;

    #[test]
    fn an_answer_of_the_api_server_is_told_in_its_own_words_once() {
        let status = Status::failure("namespaces \"rails\" not found", "NotFound").with_code(404);
        let error = ControllerError::Request {
            doing: "make the certificate Secret",
            source: Box::new(kube::Error::Api(status.boxed())),
        };
        assert_eq!(describe(&error), "failed to make the certificate Secret: namespaces \"rails\" not found");
    }
}
