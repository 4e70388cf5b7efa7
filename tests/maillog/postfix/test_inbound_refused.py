"""Who was not turned away for want of TLS by smtpd(8), though no mail came of the session."""

import pytest
from tests.maillog.postfix.test_inbound import OTHER, connect, disconnect, said, unlogged


@pytest.mark.parametrize("stage", ["MAIL", "EHLO", "CONNECT"])
def test_rejected_by_a_milter(stage: str) -> None:
    """A milter rejects in words of its own, as Postfix 3.7 wrote them."""
    reject = f"smtpd[1]: NOQUEUE: milter-reject: {stage} from {OTHER}: 550 5.7.1 Command rejected; proto=ESMTP"
    counts = "ehlo=1 mail=0/1 rcpt=0/1 data=0/1 quit=1 commands=2/5"
    assert said(*unlogged(), connect(OTHER), reject, disconnect(counts, OTHER)) == ["encrypted"]


@pytest.mark.parametrize("counts", ["mail=0/1 quit=1 commands=1/2", "ehlo=0/1 mail=0/1 quit=1 commands=1/3"])
def test_no_greeting(counts: str) -> None:
    """Who says neither EHLO nor HELO is told so (smtpd_helo_required), or cannot even spell MAIL FROM."""
    assert said(*unlogged(), connect(OTHER), disconnect(counts, OTHER)) == ["encrypted"]


@pytest.mark.parametrize("counts", ["ehlo=1 rset=1 mail=0/1 commands=2/3", "ehlo=1 auth=1 mail=0/1 commands=2/3"])
def test_not_refused_before(counts: str) -> None:
    """A server that demands TLS would have refused RSET and AUTH as well."""
    assert said(*unlogged(), connect(OTHER), disconnect(counts, OTHER)) == ["encrypted"]
