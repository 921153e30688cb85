//! What the page's script calls: a place for a question, and the answer to it.

use std::cell::RefCell;

thread_local! {
    static QUESTION: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    static ANSWER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// A place of so many bytes for a question `widget?query`; it stays until the next one is asked for.
// SAFETY: no other symbol of this module has the name.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn reserve(length: usize) -> *mut u8 {
    QUESTION.with_borrow_mut(|question| {
        question.clear();
        question.resize(length, 0);
        question.as_mut_ptr()
    })
}

/// Answers the question that was written: the answer's length as four bytes, then the answer, which stays until the next.
// SAFETY: no other symbol of this module has the name.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn render() -> *const u8 {
    let question = QUESTION.with_borrow(|question| String::from_utf8_lossy(question).into_owned());
    let (name, query) = question.split_once('?').unwrap_or((&question, ""));
    let text = crate::answer(name, query);
    ANSWER.with_borrow_mut(|answer| {
        *answer = (text.len() as u32).to_le_bytes().to_vec();
        answer.extend(text.as_bytes());
        answer.as_ptr()
    })
}
