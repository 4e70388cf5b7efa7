"""Reports as senders write them. The first is the example of RFC 8460, appendix B."""

import gzip
import json
from email.message import EmailMessage
from typing import Any

RFC_EXAMPLE: dict[str, Any] = {
    "organization-name": "Company-X",
    "date-range": {"start-datetime": "2016-04-01T00:00:00Z", "end-datetime": "2016-04-01T23:59:59Z"},
    "contact-info": "sts-reporting@company-x.example",
    "report-id": "5065427c-23d3-47ca-b6e0-946ea0e8c4be",
    "policies": [
        {
            "policy": {
                "policy-type": "sts",
                "policy-string": ["version: STSv1", "mode: testing", "mx: *.mail.company-y.example", "max_age: 86400"],
                "policy-domain": "company-y.example",
                "mx-host": ["*.mail.company-y.example"],
            },
            "summary": {"total-successful-session-count": 5326, "total-failure-session-count": 303},
            "failure-details": [
                {
                    "result-type": "certificate-expired",
                    "sending-mta-ip": "2001:db8:abcd:0012::1",
                    "receiving-mx-hostname": "mx1.mail.company-y.example",
                    "failed-session-count": 100,
                },
                {
                    "result-type": "starttls-not-supported",
                    "sending-mta-ip": "2001:db8:abcd:0013::1",
                    "receiving-mx-hostname": "mx2.mail.company-y.example",
                    "receiving-ip": "203.0.113.56",
                    "failed-session-count": 200,
                    "additional-information": "https://reports.company-x.example/report_info?id=5065427c",
                },
                {
                    "result-type": "validation-failure",
                    "sending-mta-ip": "198.51.100.62",
                    "receiving-ip": "203.0.113.58",
                    "receiving-mx-hostname": "mx-backup.mail.company-y.example",
                    "failed-session-count": 3,
                    "failure-reason-code": "X509_V_ERR_PROXY_PATH_LENGTH_EXCEEDED",
                },
            ],
        }
    ],
}


def report(number: int = 1, successful: int = 10, failed: int = 0, domain: str = "our.example") -> dict[str, Any]:
    """Return a report of a provider without details."""
    return {
        "organization-name": "Provider Inc.",
        "date-range": {
            "start-datetime": f"2026-11-{number:02}T00:00:00Z",
            "end-datetime": f"2026-11-{number:02}T23:59:59Z",
        },
        "contact-info": "tls@provider.example",
        "report-id": f"2026-11-{number:02}T00:00:00Z_{domain}",
        "policies": [
            {
                "policy": {"policy-type": kind, "policy-domain": domain},
                "summary": {"total-successful-session-count": successful, "total-failure-session-count": failed},
            }
            for kind in ("sts", "tlsa")
        ],
    }


def as_json(document: dict[str, Any]) -> bytes:
    """Return it as JSON."""
    return json.dumps(document).encode()


def as_mail(document: dict[str, Any], kind: str = "tlsrpt+gzip") -> bytes:
    """Return the mail that carries it (RFC 8460, section 5.3)."""
    mail = EmailMessage()
    mail["From"] = "tls@provider.example"
    mail["To"] = "tls-reports@our.example"
    mail["Subject"] = "Report Domain: our.example Submitter: provider.example"
    mail["TLS-Report-Domain"] = "our.example"
    mail["TLS-Report-Submitter"] = "provider.example"
    mail.set_content("This is an aggregate TLS report.")
    content = gzip.compress(as_json(document)) if kind.endswith("gzip") else as_json(document)
    mail.add_attachment(
        content, maintype="application", subtype=kind, filename="provider.example!our.example!1!2.json.gz"
    )
    mail.set_param("report-type", "tlsrpt")
    return mail.as_bytes()
