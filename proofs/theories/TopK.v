(** * S13: what renormalising the teacher to its top k tokens costs.

    Keeping the tokens K and renormalising is the same operation as filtering: the top-k teacher is
    P(. | K), so S2 gives its distance from P at once.  The losses use it as [topk_teacher]; [keep]
    need not be the k most likely tokens.  [tail_mass] is P(outside K). *)
From Coq Require Import Reals List Lra.
From Coquelicot Require Import Coquelicot.
From HDPO Require Import FinSum Gibbs Softmax JSD Proxy TokenBound.
Import ListNotations.
Open Scope R_scope.

Lemma sum_split {T} (keep : T -> bool) (l : list T) (f : T -> R) :
  sum l f = sum (filter keep l) f + sum (filter (fun t => negb (keep t)) l) f.
Proof.
  induction l as [|a l IH]; simpl; [lra|].
  destruct (keep a); simpl; rewrite IH; ring.
Qed.

Lemma jsd_term_0_l b : 0 <= b -> jsd_term 0 b = / 2 * (b * ln 2).
Proof.
  intros Hb. unfold jsd_term, kl_term. destruct (Req_dec b 0) as [->|N]; [ring|].
  replace (b / ((0 + b) / 2)) with 2 by (field; lra). ring.
Qed.

(** x ln(x/y) lies above each of its tangent planes. *)
Lemma kl_term_tangent x y r : 0 <= x -> 0 <= y -> 0 < r -> (y = 0 -> x = 0) ->
  x * ln r + x - y * r <= kl_term x y.
Proof.
  intros Hx Hy Hr Hxy. destruct (Req_dec x 0) as [->|N].
  - rewrite kl_term_0. assert (0 <= y * r) by (apply Rmult_le_pos; lra). lra.
  - assert (Py : 0 < y) by (destruct (Req_dec y 0); [tauto|lra]).
    pose proof (kl_term_ge x (y * r)) as H.
    assert (Pyr : 0 < y * r) by (apply Rmult_lt_0_compat; lra).
    specialize (H Hx ltac:(lra) ltac:(lra)). unfold kl_term in *.
    replace (x / (y * r)) with (x / y * / r) in H by (field; lra).
    rewrite ln_mult, ln_Rinv in H; try lra.
    + apply Rdiv_lt_0_compat; lra.
    + now apply Rinv_0_lt_compat.
Qed.

(** The summand of the JSD is convex in the teacher's probability: it lies above its tangent. *)
Lemma jsd_term_tangent a a' b : 0 < a -> 0 <= a' -> 0 <= b ->
  jsd_term a b + / 2 * ((a' - a) * ln (a / ((a + b) / 2))) <= jsd_term a' b.
Proof.
  intros Ha Ha' Hb. unfold jsd_term. set (m := (a + b) / 2). set (m' := (a' + b) / 2).
  assert (Pm : 0 < m) by (unfold m; lra).
  assert (A : a' * ln (a / m) + a' - m' * (a / m) <= kl_term a' m').
  { apply kl_term_tangent; [lra|unfold m'; lra|now apply Rdiv_lt_0_compat|unfold m'; lra]. }
  assert (B : b * ln (b / m) + b - m' * (b / m) <= kl_term b m').
  { destruct (Req_dec b 0) as [->|N].
    - rewrite kl_term_0. unfold Rdiv. lra.
    - apply kl_term_tangent; [lra|unfold m'; lra|apply Rdiv_lt_0_compat; lra|unfold m'; lra]. }
  assert (E : m' * (a / m) + m' * (b / m) = a' + b).
  { unfold m, m'. field. lra. }
  unfold kl_term at 1 2. lra.
Qed.

Lemma ln_share_le a b : 0 < a -> 0 <= b -> ln (a / ((a + b) / 2)) <= ln 2.
Proof.
  intros Ha Hb. apply ln_le_mono; [apply Rdiv_lt_0_compat; lra|].
  apply (Rmult_le_reg_r ((a + b) / 2)); [lra|].
  replace (a / ((a + b) / 2) * ((a + b) / 2)) with a by (field; lra). lra.
Qed.

Lemma ln_share_ge a b : 0 < a -> 0 <= b -> (a - b) / (2 * a) <= ln (a / ((a + b) / 2)).
Proof.
  intros Ha Hb.
  replace (a / ((a + b) / 2)) with (/ ((a + b) / 2 / a)) by (field; lra).
  assert (0 < (a + b) / 2 / a) by (apply Rdiv_lt_0_compat; lra).
  rewrite ln_Rinv by assumption.
  pose proof (ln_le_sub1 ((a + b) / 2 / a) ltac:(assumption)) as H0.
  replace ((a - b) / (2 * a)) with (- ((a + b) / 2 / a - 1)) by (field; lra). lra.
Qed.

(** A kept token: its probability grows from a to a (1 + c). *)
Lemma jsd_term_kept a b c : 0 <= a -> 0 <= b -> 0 <= c ->
  c * (a - b) / 4 <= jsd_term (a * (1 + c)) b - jsd_term a b <= / 2 * (a * c * ln 2).
Proof.
  intros Ha Hb Hc. destruct (Req_dec a 0) as [->|N].
  - rewrite Rmult_0_l. assert (0 <= c * b) by (apply Rmult_le_pos; lra). lra.
  - assert (Pa : 0 < a) by lra. assert (P' : 0 < a * (1 + c)) by (apply Rmult_lt_0_compat; lra).
    assert (Pac : 0 <= a * c) by (apply Rmult_le_pos; lra).
    split.
    + pose proof (jsd_term_tangent a (a * (1 + c)) b Pa ltac:(lra) Hb) as H.
      pose proof (ln_share_ge a b Pa Hb) as G.
      apply (Rmult_le_compat_l (a * c)) in G; [|assumption].
      replace (a * c * ((a - b) / (2 * a))) with (c * (a - b) / 2) in G by (field; lra).
      replace (a * (1 + c) - a) with (a * c) in H by ring. lra.
    + pose proof (jsd_term_tangent (a * (1 + c)) a b P' ltac:(lra) Hb) as H.
      pose proof (ln_share_le (a * (1 + c)) b P' Hb) as G.
      apply (Rmult_le_compat_l (a * c)) in G; [|assumption].
      replace (a - a * (1 + c)) with (- (a * c)) in H by ring. lra.
Qed.

(** A dropped token: from a to 0. *)
Lemma jsd_term_dropped a b : 0 <= a -> 0 <= b ->
  - (/ 2 * (a * ln 2)) <= jsd_term 0 b - jsd_term a b.
Proof.
  intros Ha Hb. destruct (Req_dec a 0) as [->|N]; [lra|]. assert (Pa : 0 < a) by lra.
  pose proof (jsd_term_tangent a 0 b Pa ltac:(lra) Hb) as H.
  pose proof (ln_share_le a b Pa Hb) as G.
  apply (Rmult_le_compat_l a) in G; [|lra]. lra.
Qed.

(** All dropped tokens together: the entropy-like e ln(1/e) cannot be avoided. *)
Lemma jsd_sum_dropped {T} (l : list T) (P Q : T -> R) e :
  (forall t, In t l -> 0 <= P t) -> (forall t, In t l -> 0 <= Q t) ->
  sum l P = e -> 0 < e <= 1 -> sum l Q <= 1 ->
  sum l (fun t => jsd_term 0 (Q t) - jsd_term (P t) (Q t)) <= / 2 * (e * (1 + ln (/ e))).
Proof.
  intros HP HQ Se He Hq1. rewrite sum_minus. set (q := sum l Q) in *.
  assert (Hq : 0 <= q) by (unfold q; now apply sum_nonneg).
  assert (A : kl_term e ((e + q) / 2) + kl_term q ((e + q) / 2)
              <= sum l (fun t => kl_term (P t) ((P t + Q t) / 2) + kl_term (Q t) ((P t + Q t) / 2))).
  { assert (Em : (e + q) / 2 = sum l (fun t => (P t + Q t) / 2)).
    { rewrite sum_div, sum_plus, Se. reflexivity. }
    rewrite sum_plus. rewrite Em. rewrite <- Se. unfold q.
    assert (Hpos : forall t, In t l -> 0 <= (P t + Q t) / 2).
    { intros t Ht. specialize (HP t Ht). specialize (HQ t Ht). lra. }
    apply Rplus_le_compat; apply log_sum; auto;
      intros t Ht; specialize (HP t Ht); specialize (HQ t Ht); lra. }
  assert (B : sum l (fun t => jsd_term 0 (Q t)) = / 2 * (q * ln 2)).
  { rewrite (sum_ext l _ (fun t => / 2 * (Q t * ln 2))) by (intros; apply jsd_term_0_l; auto).
    rewrite sum_scal, sum_scal_r. reflexivity. }
  assert (C : sum l (fun t => jsd_term (P t) (Q t))
     = / 2 * sum l (fun t => kl_term (P t) ((P t + Q t) / 2) + kl_term (Q t) ((P t + Q t) / 2))).
  { rewrite <- sum_scal. apply sum_ext; intros; unfold jsd_term; ring. }
  rewrite B, C.
  enough (q * ln 2 - (kl_term e ((e + q) / 2) + kl_term q ((e + q) / 2)) <= e * (1 + ln (/ e)))
    by lra.
  clear A B C. unfold kl_term.
  (* first part *)
  assert (F1 : - ln (e / ((e + q) / 2)) <= ln (/ e)).
  { rewrite <- ln_Rinv by (apply Rdiv_lt_0_compat; lra). apply ln_le_mono.
    - apply Rinv_0_lt_compat. apply Rdiv_lt_0_compat; lra.
    - apply Rinv_le_contravar; [lra|].
      apply (Rmult_le_reg_r ((e + q) / 2)); [lra|].
      replace (e / ((e + q) / 2) * ((e + q) / 2)) with (e * 1) by (field; lra).
      apply Rmult_le_compat_l; lra. }
  apply (Rmult_le_compat_l e) in F1; [|lra].
  destruct (Req_dec q 0) as [E0|N0].
  - rewrite E0 in *. lra.
  - assert (Pq : 0 < q) by lra.
    assert (F2 : ln 2 - ln (q / ((e + q) / 2)) <= e / q).
    { rewrite <- ln_div by (try apply Rdiv_lt_0_compat; lra).
      pose proof (ln_le_sub1 (2 / (q / ((e + q) / 2))) ltac:(apply Rdiv_lt_0_compat;
        [lra|apply Rdiv_lt_0_compat; lra])) as H.
      replace (2 / (q / ((e + q) / 2)) - 1) with (e / q) in H by (field; lra). exact H. }
    apply (Rmult_le_compat_l q) in F2; [|lra].
    replace (q * (e / q)) with e in F2 by (field; lra). lra.
Qed.

Section TopK.
  Context {T : Type}.
  Variable l : list T.
  Variable P : T -> R.                  (* the teacher on the whole vocabulary *)
  Hypothesis HP : dist l P.
  Variable keep : T -> bool.            (* the support K *)

  Definition topk_teacher : T -> R := filtered l P keep.
  Definition tail_mass : R := 1 - success l P keep.
  Hypothesis Hmass : tail_mass < 1.     (* some kept token has positive probability *)

  Lemma kept_pos : 0 < success l P keep.
  Proof. unfold tail_mass in Hmass. lra. Qed.

  Lemma topk_dist : dist l topk_teacher.
  Proof. apply filtered_dist; [assumption|apply kept_pos]. Qed.

  (** Total variation: exactly the tail mass. *)
  Theorem S13_topk_TV : TV l P topk_teacher = tail_mass.
  Proof. apply S2_unfiltered_bias; [assumption|apply kept_pos]. Qed.

  (** KL(P_K || P): exactly - ln of the kept mass. *)
  Theorem S13_topk_KL : KL l topk_teacher P = - ln (1 - tail_mass).
  Proof.
    pose proof kept_pos as Hk. pose proof topk_dist as Hd.
    rewrite (S2_information_projection l P HP keep topk_teacher Hk Hd).
    - replace (KL l topk_teacher (filtered l P keep)) with 0.
      + unfold tail_mass. replace (1 - (1 - success l P keep)) with (success l P keep) by ring. ring.
      + symmetry. apply KL_eq0_iff; auto. intros t _ E; exact E.
    - intros t _ E. unfold topk_teacher, filtered. rewrite E. unfold Rdiv. ring.
    - unfold expect, topk_teacher, filtered.
      rewrite (sum_ext l _ (fun t => P t * reward keep t / success l P keep)).
      + rewrite sum_div. fold (expect l P (reward keep)). fold (success l P keep). field. lra.
      + intros t _. unfold reward. destruct (keep t); unfold Rdiv; ring.
  Qed.

  Let lK := filter keep l.
  Let lT := filter (fun t => negb (keep t)) l.

  Lemma in_kept t : In t lK -> In t l /\ reward keep t = 1.
  Proof. intros H. apply filter_In in H. unfold reward. destruct H as [H ->]. auto. Qed.

  Lemma in_tail t : In t lT -> In t l /\ reward keep t = 0.
  Proof. intros H. apply filter_In in H. unfold reward. destruct H as [H E]. destruct (keep t); [discriminate|auto]. Qed.

  Lemma sum_kept : sum lK P = 1 - tail_mass.
  Proof.
    unfold tail_mass, success, expect. rewrite (sum_split keep l (fun t => P t * reward keep t)).
    fold lK lT. rewrite (sum_zero lT) by (intros t Ht; destruct (in_tail t Ht) as [_ ->]; ring).
    rewrite (sum_ext lK P (fun t => P t * reward keep t)); [lra|].
    intros t Ht. destruct (in_kept t Ht) as [_ ->]. ring.
  Qed.

  Lemma sum_tail : sum lT P = tail_mass.
  Proof.
    destruct HP as [_ S]. rewrite (sum_split keep l P) in S. fold lK lT in S.
    rewrite sum_kept in S. lra.
  Qed.

  (** JSD to any student: renormalising changes it by O(e ln(1/e)), e the tail mass. *)
  Theorem S13_topk_jsd (Q : T -> R) :
    dist l Q -> 0 < tail_mass ->
    - (tail_mass / 2 * ln 2 + tail_mass ^ 2 / (4 * (1 - tail_mass)))
    <= JSD l topk_teacher Q - JSD l P Q
    <= tail_mass / 2 * (1 + ln (2 / tail_mass)).
  Proof.
    intros [HQ SQ] He. destruct HP as [HP0 SP]. pose proof kept_pos as Hk.
    set (e := tail_mass) in *. assert (Ek : success l P keep = 1 - e) by (unfold e, tail_mass; ring).
    pose (c := e / (1 - e)).
    assert (Hc : 0 <= c) by (left; apply Rdiv_lt_0_compat; lra).
    assert (SQs : sum lK Q + sum lT Q = 1) by (rewrite <- SQ; symmetry; apply sum_split).
    assert (HQK : 0 <= sum lK Q) by (apply sum_nonneg; intros t Ht; apply HQ, (in_kept t Ht)).
    assert (HQT : 0 <= sum lT Q) by (apply sum_nonneg; intros t Ht; apply HQ, (in_tail t Ht)).
    assert (EK : forall t, In t lK -> topk_teacher t = P t * (1 + c)).
    { intros t Ht. destruct (in_kept t Ht) as [_ Hr]. unfold topk_teacher, filtered.
      rewrite Hr, Ek. unfold c. field. lra. }
    assert (ET : forall t, In t lT -> topk_teacher t = 0).
    { intros t Ht. destruct (in_tail t Ht) as [_ Hr]. unfold topk_teacher, filtered.
      rewrite Hr. unfold Rdiv. ring. }
    assert (D : JSD l topk_teacher Q - JSD l P Q
      = sum lK (fun t => jsd_term (P t * (1 + c)) (Q t) - jsd_term (P t) (Q t))
        + sum lT (fun t => jsd_term 0 (Q t) - jsd_term (P t) (Q t))).
    { unfold JSD. rewrite <- sum_minus, (sum_split keep). fold lK lT. f_equal; apply sum_ext.
      - intros t Ht. now rewrite EK.
      - intros t Ht. now rewrite ET. }
    rewrite D.
    assert (K1 : c * (sum lK P - sum lK Q) / 4
                 <= sum lK (fun t => jsd_term (P t * (1 + c)) (Q t) - jsd_term (P t) (Q t))).
    { apply Rle_trans with (sum lK (fun t => c / 4 * P t - c / 4 * Q t)).
      - rewrite sum_minus, !sum_scal. lra.
      - apply sum_le; intros t Ht. destruct (in_kept t Ht) as [Hin _].
        pose proof (jsd_term_kept (P t) (Q t) c (HP0 t Hin) (HQ t Hin) Hc). lra. }
    assert (K2 : sum lK (fun t => jsd_term (P t * (1 + c)) (Q t) - jsd_term (P t) (Q t))
                 <= / 2 * (sum lK P * c * ln 2)).
    { apply Rle_trans with (sum lK (fun t => (/ 2 * c * ln 2) * P t)).
      - apply sum_le; intros t Ht. destruct (in_kept t Ht) as [Hin _].
        pose proof (jsd_term_kept (P t) (Q t) c (HP0 t Hin) (HQ t Hin) Hc). lra.
      - rewrite sum_scal. lra. }
    assert (T1 : - (/ 2 * (e * ln 2)) <= sum lT (fun t => jsd_term 0 (Q t) - jsd_term (P t) (Q t))).
    { apply Rle_trans with (sum lT (fun t => (- (/ 2 * ln 2)) * P t)).
      - rewrite sum_scal, sum_tail. fold e. lra.
      - apply sum_le; intros t Ht. destruct (in_tail t Ht) as [Hin _].
        pose proof (jsd_term_dropped (P t) (Q t) (HP0 t Hin) (HQ t Hin)). lra. }
    assert (T2 : sum lT (fun t => jsd_term 0 (Q t) - jsd_term (P t) (Q t)) <= / 2 * (e * (1 + ln (/ e)))).
    { apply jsd_sum_dropped.
      - intros t Ht; apply HP0, (in_tail t Ht).
      - intros t Ht; apply HQ, (in_tail t Ht).
      - apply sum_tail.
      - unfold e in *; lra.
      - lra. }
    rewrite sum_kept in K1, K2. fold e in K1, K2.
    replace ((1 - e) * c * ln 2) with (e * ln 2) in K2 by (unfold c; field; lra).
    split.
    - assert (L : - (e ^ 2 / (4 * (1 - e))) <= c * (1 - e - sum lK Q) / 4).
      { replace (e ^ 2 / (4 * (1 - e))) with (c * e / 4) by (unfold c; field; lra).
        assert (c * (- e) <= c * (1 - e - sum lK Q)) by (apply Rmult_le_compat_l; lra). lra. }
      lra.
    - replace (ln (2 / e)) with (ln 2 + ln (/ e)).
      + lra.
      + unfold Rdiv. rewrite ln_mult; [ring|lra|now apply Rinv_0_lt_compat].
  Qed.
End TopK.

(** ** Proposition 1 for the teacher that is used: top-k of a softmax. *)
Section Prop1.
  Context {T : Type}.
  Variable l : list T.
  Hypothesis Hl : l <> [].
  Variables zT zS : T -> R.
  Variable keep : T -> bool.
  Let P := softmax l zT.
  Let Q := softmax l zS.
  Let e := tail_mass l P keep.
  Hypothesis He : e < 1.

  Lemma sumexp_shift_ge a : (forall t, In t l -> a <= zS t - zT t) ->
    exp a * sumexp l zT <= sumexp l zS.
  Proof.
    intros H. unfold sumexp. rewrite <- sum_scal. apply sum_le; intros t Ht.
    rewrite <- exp_plus. specialize (H t Ht).
    destruct (Req_dec (a + zT t) (zS t)) as [->|N]; [lra|left; apply exp_increasing; lra].
  Qed.

  Lemma softmax_log_ratio_ge a b t : In t l ->
    (forall u, In u l -> a <= zS u - zT u <= b) -> - (b - a) <= ln (P t / Q t).
  Proof.
    intros Ht H. pose proof (sumexp_shift_ge a ltac:(intros u Hu; apply (H u Hu))) as G.
    pose proof (sumexp_pos l Hl zT) as HT. pose proof (sumexp_pos l Hl zS) as HS.
    replace (P t / Q t) with (exp (zT t - zS t) * (sumexp l zS / sumexp l zT)).
    - rewrite ln_mult, ln_exp; [|apply exp_pos|now apply Rdiv_lt_0_compat].
      assert (a <= ln (sumexp l zS / sumexp l zT)).
      { rewrite <- (ln_exp a) at 1. apply ln_le_mono; [apply exp_pos|].
        apply (Rmult_le_reg_r (sumexp l zT)); [assumption|].
        replace (sumexp l zS / sumexp l zT * sumexp l zT) with (sumexp l zS) by (field; lra). lra. }
      specialize (H t Ht). lra.
    - unfold P, Q, softmax. replace (zT t - zS t) with (zT t + - zS t) by ring.
      rewrite exp_plus, exp_Ropp. pose proof (exp_pos (zS t)). field. lra.
  Qed.

  (** KL(P_K || Q) when the logits differ by at most osc = b - a. *)
  Theorem S13_prop1_topk a b :
    (forall t, In t l -> a <= zS t - zT t <= b) ->
    KL l (topk_teacher l P keep) Q
    <= - ln (1 - e) + ((b - a) ^ 2 / 8 + e * (b - a)) / (1 - e).
  Proof.
    intros Hd. assert (HP : dist l P) by now apply softmax_dist.
    pose proof (kept_pos l P keep He) as Hk.
    assert (Ek : success l P keep = 1 - e) by (unfold e, tail_mass; ring).
    assert (HPp : forall t, 0 < P t) by (intros; now apply softmax_pos).
    assert (HQp : forall t, 0 < Q t) by (intros; now apply softmax_pos).
    assert (E : KL l (topk_teacher l P keep) Q
      = sum (filter keep l) (fun t => kl_term (P t) (Q t)) / (1 - e) - ln (1 - e)).
    { unfold KL. rewrite (sum_split keep).
      rewrite (sum_zero (filter (fun t => negb (keep t)) l)).
      2:{ intros t Ht. destruct (in_tail l keep t Ht) as [_ Hr].
          unfold topk_teacher, filtered. rewrite Hr. unfold Rdiv, kl_term. ring. }
      rewrite (sum_ext (filter keep l) _
        (fun t => kl_term (P t) (Q t) / (1 - e) - P t * (ln (1 - e) / (1 - e)))).
      - rewrite sum_minus, sum_div, sum_scal_r, (sum_kept l P keep). fold e. field. lra.
      - intros t Ht. destruct (in_kept l keep t Ht) as [_ Hr].
        unfold topk_teacher, filtered. rewrite Hr, Ek. unfold kl_term.
        specialize (HPp t). specialize (HQp t).
        replace (P t * 1 / (1 - e) / Q t) with (P t / Q t * / (1 - e)) by (field; lra).
        assert (L : ln (P t / Q t * / (1 - e)) = ln (P t / Q t) - ln (1 - e)).
        { rewrite ln_mult, ln_Rinv; try lra; [now apply Rdiv_lt_0_compat|apply Rinv_0_lt_compat; lra]. }
        rewrite L. field. lra. }
    rewrite E.
    assert (F : sum (filter keep l) (fun t => kl_term (P t) (Q t)) <= (b - a) ^ 2 / 8 + e * (b - a)).
    { assert (G : KL l P Q <= (b - a) ^ 2 / 8).
      { unfold P, Q. rewrite (KL_ext_r l _ (softmax l zS) (softmax l (fun t => zT t + (zS t - zT t)))).
        - now apply S4_osc.
        - intros t _. apply softmax_ext. intros; ring. }
      unfold KL in G. rewrite (sum_split keep) in G.
      assert (H : - (e * (b - a)) <= sum (filter (fun t => negb (keep t)) l) (fun t => kl_term (P t) (Q t))).
      { replace (- (e * (b - a))) with (e * - (b - a)) by ring. unfold e at 1.
        rewrite <- (sum_tail l P HP keep), <- sum_scal_r.
        apply sum_le; intros t Ht. destruct (in_tail l keep t Ht) as [Hin _]. unfold kl_term.
        apply Rmult_le_compat_l; [left; apply HPp|now apply softmax_log_ratio_ge]. }
      lra. }
    assert (H1 : sum (filter keep l) (fun t => kl_term (P t) (Q t)) / (1 - e)
                 <= ((b - a) ^ 2 / 8 + e * (b - a)) / (1 - e)).
    { unfold Rdiv. apply Rmult_le_compat_r; [left; apply Rinv_0_lt_compat; lra|exact F]. }
    lra.
  Qed.

  (** The loss: JSD(P_K || Q) when the logits differ by at most D. *)
  Theorem S13_prop1_topk_jsd D :
    0 < e -> (forall t, In t l -> Rabs (zT t - zS t) <= D) ->
    JSD l (topk_teacher l P keep) Q <= Rmin (ln 2) (D ^ 2 / 4 + e / 2 * (1 + ln (2 / e))).
  Proof.
    intros Hpos HD. assert (HP : dist l P) by now apply softmax_dist.
    assert (HQ : dist l Q) by now apply softmax_dist.
    apply Rmin_glb.
    - apply S6_upper; [now apply topk_dist|assumption].
    - destruct (S13_topk_jsd l P HP keep He Q HQ Hpos) as [_ U]. fold e in U.
      pose proof (S12_prop1_jsd l zT zS D Hl HD) as J1. fold P Q in J1.
      assert (JSD l P Q <= D ^ 2 / 4) by (eapply Rle_trans; [exact J1|apply Rmin_r]). lra.
  Qed.
End Prop1.
