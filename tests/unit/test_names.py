"""Keys of workflows, jobs, pools and tasks."""

import pytest

from qflowd.model.names import RESERVED_TASK_KEYS, fault_in_key, fault_in_task_key


@pytest.mark.parametrize(
    "key", ["a", "daily_bars", "cn/daily-bars.v2", "日线", "Überblick", "हिन्दी", "9", "-", "a" * 200]
)
def test_letters_of_any_script_digits_and_four_signs_make_a_key(key):
    assert fault_in_key(key) is None
    assert fault_in_task_key(key) is None


@pytest.mark.parametrize(
    "key", ["", ".", "..", " ", "a b", "a\n", "a:b", "a\0", "a'b", "²", "a" * 201, "😀", None, 3, ["a"]]
)
def test_anything_else_is_refused_with_a_sentence(key):
    assert fault_in_key(key, "workflow key").startswith("workflow key ")


@pytest.mark.parametrize("key", sorted(RESERVED_TASK_KEYS))
def test_a_task_cannot_take_a_word_of_the_expression_language(key):
    assert "expression language" in fault_in_task_key(key)
    assert fault_in_key(key) is None
