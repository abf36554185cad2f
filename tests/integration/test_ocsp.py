"""OCSP responses, stapled to handshakes: fetched in the background from a responder of openssl's."""

import subprocess

import pytest
from certificates import Authority
from harness import Child, free_port, json_lines, wait_for
from test_tls import s_client

FAR = "391231235959Z"


class Responder(Child):
    """`openssl ocsp` for one authority."""

    def __init__(self, folder, authority: Authority):
        super().__init__("responder", folder)
        self.authority = authority
        self.port = free_port()
        self.index = folder / "index.txt"

    def issue(self, status: str = "V") -> dict:
        """A certificate that names this responder, which will say of it: V(alid) or R(evoked)."""
        chain, key = self.authority.issue("DNS:localhost", [f"authorityInfoAccess=OCSP;URI:http://127.0.0.1:{self.port}/ask"])
        serial = subprocess.run(["openssl", "x509", "-in", chain, "-noout", "-serial"], capture_output=True, text=True, check=True).stdout
        number = serial.strip().split("=")[1]
        self.index.write_text(f"{status}\t{FAR}\t{'' if status == 'V' else '200101000000Z'}\t{number}\tunknown\t/CN=leaf\n")
        chain.write_text(chain.read_text() + self.authority.certificate.read_text())
        return {"chain": str(chain), "key": str(key)}

    def start(self) -> "Responder":
        signer, key = self.authority.certificate, self.authority.key
        self.spawn([
            "openssl", "ocsp", "-index", self.index, "-port", self.port, "-rsigner", signer, "-rkey", key, "-CA", signer, "-nmin", "5",
        ])  # fmt: skip
        wait_for(lambda: "waiting for" in (self.stdout + self.stderr).lower(), "the responder")
        return self


@pytest.fixture
def responder(house, tmp_path):
    return house.keep(Responder(tmp_path, Authority(tmp_path, "ocsp")))


def failures(node) -> list[dict]:
    return [line for line in json_lines(node.stderr_path) if line.get("event") == "ocsp_failed"]


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_what_the_responder_says_is_stapled(house, replica, responder, version):
    pair = responder.issue()
    responder.start()
    node = house.usher([replica], name="stapled", tls={"certificate": [pair]})
    wait_for(lambda: "Cert Status: good" in s_client(node.port("https"), "-status", version), "the staple")
    assert not failures(node)


def test_a_revoked_certificate_is_said_and_not_stapled(house, replica, responder):
    pair = responder.issue("R")
    responder.start()
    node = house.usher([replica], name="revoked", tls={"certificate": [pair]})
    assert "revoked" in wait_for(lambda: failures(node), "the failure")[0]["reason"]
    assert "OCSP response: no response sent" in s_client(node.port("https"), "-status")


def test_an_answer_of_another_authority_is_not_believed(house, replica, responder, tmp_path):
    pair = responder.issue()
    other = Authority(tmp_path, "other")
    responder.authority.certificate, responder.authority.key = other.certificate, other.key
    responder.start()
    node = house.usher([replica], name="forged", tls={"certificate": [pair]})
    wait_for(lambda: failures(node), "the failure")
    assert "OCSP response: no response sent" in s_client(node.port("https"), "-status")


def test_a_responder_that_is_away_delays_nobody(house, replica, responder):
    node = house.usher([replica], name="away", tls={"certificate": [responder.issue()]})
    assert "Cipher is (NONE)" not in s_client(node.port("https"), "-status")
    failed = wait_for(lambda: failures(node), "the failure")
    assert failed[0]["responder"] == f"http://127.0.0.1:{responder.port}/ask"


def test_stapling_can_be_switched_off(house, replica, responder):
    pair = responder.issue()
    responder.start()
    node = house.usher([replica], name="off", tls={"certificate": [pair], "ocsp_stapling": False})
    assert "OCSP response: no response sent" in s_client(node.port("https"), "-status")
    assert not failures(node)


def test_the_issuer_may_stand_in_a_file_of_its_own(house, replica, responder):
    """As `ssl_trusted_certificate` of an nginx whose chain is the certificate alone."""
    issued = responder.issue()
    alone = open(issued["chain"]).read().split("-----END CERTIFICATE-----")[0] + "-----END CERTIFICATE-----\n"
    with open(issued["chain"], "w") as chain:
        chain.write(alone)
    responder.start()
    tls = {"certificate": [issued], "trusted_ca": str(responder.authority.certificate)}
    node = house.usher([replica], tls=tls)
    wait_for(lambda: "OCSP Response Status: successful" in s_client(node.port("https"), "-status"), "a stapled response")
